/**
 * Which VM has a processor next, and for how long: a credit scheduler as Xen's first one is described (Xen Project wiki, "Credit
 * Scheduler"), as functions over a record.
 *
 * Every 30 ms the ticks that the processors had are credited to the VMs that wanted them, by weight; a VM pays for the ticks it has
 * a processor. Those with credit left (UNDER) come before those without (OVER), each in turn; one that wakes with credit left (BOOST)
 * comes before both and takes a processor at once. A cap is a budget of ticks for each period, beyond which a VM is parked. Credits
 * are exact to the tick here, where Xen samples them every 10 ms. There is one queue for all processors.
 */

/** 30 ms in ticks. */
export const PERIOD = 3_006_818;

/** What a VM has of the processors' time. */
export interface Share {
  readonly weight: number;
  /** Per cent of a processor; 0: no limit. */
  readonly cap: number;
  /** Ticks it is owed. Not above 0: it has had its share. */
  readonly credit: number;
  /** Under a cap: ticks it may have before the next accounting. */
  readonly budget: number;
  /** Ticks it was charged, ever, and since the last accounting. */
  readonly total: number;
  readonly used: number;
  /** It has waited for something since the last accounting. */
  readonly slept: boolean;
  /** It has woken with credit left, and had no processor since. */
  readonly boosted: boolean;
}

export interface Schedule {
  readonly processors: number;
  /** Ticks of a turn. */
  readonly slice: number;
  /** The tick of the next accounting. */
  readonly due: number;
  /** VMs by number, whose turn it is first. */
  readonly queue: readonly number[];
  /** By number of the VM. */
  readonly shares: readonly Share[];
}

/** Whether a VM could use a processor that it has not. */
export type Wants = (vm: number) => boolean;

export const newSchedule = (processors: number, slice: number): Schedule => ({
  processors,
  slice,
  due: 0,
  queue: [],
  shares: [],
});

const budgetOf = (cap: number): number => (cap === 0 ? 0 : Math.floor((PERIOD * cap) / 100));

function change(schedule: Schedule, vm: number, part: Partial<Share>): Schedule {
  return { ...schedule, shares: schedule.shares.with(vm, { ...schedule.shares[vm]!, ...part }) };
}

/** The schedule with a VM more, whose number is the next. */
export function withShare(schedule: Schedule, weight: number, cap: number): Schedule {
  const { queue, shares } = schedule;
  const none = { credit: 0, total: 0, used: 0, slept: false, boosted: false };
  return {
    ...schedule,
    queue: [...queue, shares.length],
    shares: [...shares, { weight, cap, budget: budgetOf(cap), ...none }],
  };
}

/** The schedule without a VM; the numbers above it move down. */
export function withoutShare(schedule: Schedule, vm: number): Schedule {
  return {
    ...schedule,
    queue: schedule.queue.filter((other) => other !== vm).map((other) => (other > vm ? other - 1 : other)),
    shares: schedule.shares.toSpliced(vm, 1),
  };
}

/** A VM had a processor for some ticks. */
export function charged(schedule: Schedule, vm: number, ticks: number): Schedule {
  const { credit, budget, total, used, cap } = schedule.shares[vm]!;
  return change(schedule, vm, {
    credit: credit - ticks,
    budget: cap === 0 ? 0 : budget - ticks,
    total: total + ticks,
    used: used + ticks,
  });
}

/** A VM waits for something. */
export const slept = (schedule: Schedule, vm: number): Schedule =>
  change(schedule, vm, { slept: true, boosted: false });

/** What it waited for has come: it goes to the end of its queue, and before all others if it has credit left. */
export function woken(schedule: Schedule, vm: number): Schedule {
  return moved(change(schedule, vm, { slept: true, boosted: schedule.shares[vm]!.credit > 0 }), vm);
}

/** A VM had its turn. */
export const moved = (schedule: Schedule, vm: number): Schedule => ({
  ...schedule,
  queue: [...schedule.queue.filter((other) => other !== vm), vm],
});

/** It has had all that its cap allows. */
export const isParked = ({ cap, budget }: Share): boolean => cap !== 0 && budget <= 0;

/** 0 is first. */
const priority = ({ boosted, credit }: Share): number => (boosted ? 0 : credit > 0 ? 1 : 2);

/** The VM that has a processor next, of those that want one; undefined where none does. */
export function pick({ queue, shares }: Schedule, wants: Wants): number | undefined {
  let best: number | undefined;
  for (const vm of queue) {
    if (isParked(shares[vm]!) || !wants(vm)) continue;
    if (best === undefined || priority(shares[vm]!) < priority(shares[best]!)) best = vm;
  }
  return best;
}

/** Whether a VM has woken that does not wait for the end of another's turn. */
export const preempts = ({ queue, shares }: Schedule, wants: Wants): boolean =>
  queue.some((vm) => shares[vm]!.boosted && !isParked(shares[vm]!) && wants(vm));

/** A VM is given a processor: the ticks of its turn. */
export function begun(schedule: Schedule, vm: number): readonly [schedule: Schedule, ticks: number] {
  const { cap, budget } = schedule.shares[vm]!;
  const ticks = cap === 0 ? schedule.slice : Math.min(schedule.slice, budget);
  return [change(schedule, vm, { boosted: false }), ticks];
}

/** What of `total` each is due by weight, none more than its limit; what a limit leaves is the others'. */
function dues(claims: readonly { readonly weight: number; readonly limit: number }[], total: number): number[] {
  const due = claims.map(() => 0);
  let open = claims.flatMap(({ weight }, index) => (weight === 0 ? [] : [index]));
  let left = total;
  for (;;) {
    const weights = open.reduce((sum, index) => sum + claims[index]!.weight, 0);
    const full = open.filter((index) => (left * claims[index]!.weight) / weights >= claims[index]!.limit);
    for (const index of full) {
      due[index] = claims[index]!.limit;
      left -= due[index]!;
    }
    open = open.filter((index) => !full.includes(index));
    if (full.length > 0 && open.length > 0) continue;
    const rest = left;
    for (const index of open) {
      due[index] = Math.floor((rest * claims[index]!.weight) / weights);
      left -= due[index]!;
    }
    if (open.length > 0) due[open[0]!]! += left;
    return due;
  }
}

/** One period is over. */
function accountedOnce(schedule: Schedule, wants: Wants): Schedule {
  const { processors, shares } = schedule;
  const active = shares.map(({ used }, vm) => used > 0 || wants(vm));
  const claims = shares.map(({ weight, cap }, vm) => ({
    weight: active[vm]! ? weight : 0,
    limit: active[vm]! ? (cap === 0 ? PERIOD : Math.min(PERIOD, budgetOf(cap))) : 0,
  }));
  const due = dues(claims, processors * PERIOD);
  return {
    ...schedule,
    due: schedule.due + PERIOD,
    shares: shares.map((share, vm) => {
      const { credit, budget, cap } = share;
      const owed = credit + due[vm]!;
      // Who slept is not paid for it, and who had what nobody else wanted does not pay for that for long.
      const most = share.slept ? due[vm]! : Number.POSITIVE_INFINITY;
      return {
        ...share,
        credit: Math.max(-PERIOD, Math.min(owed, most)),
        budget: Math.min(budget, 0) + budgetOf(cap),
        used: 0,
        slept: !wants(vm),
      };
    }),
  };
}

/** Nothing is left of the periods before these. */
const REMEMBERED = 4;

/** Accounts for the periods that are over at a tick. `wants` is of all VMs that wait for nothing, with a processor or without. */
export function accounted(schedule: Schedule, now: number, wants: Wants): Schedule {
  let next = schedule;
  const over = Math.floor((now - next.due) / PERIOD) + 1;
  if (over > REMEMBERED) next = { ...next, due: next.due + (over - REMEMBERED) * PERIOD };
  while (next.due <= now) next = accountedOnce(next, wants);
  return next;
}
