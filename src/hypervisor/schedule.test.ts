import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  accounted,
  begun,
  charged,
  moved,
  newSchedule,
  PERIOD,
  pick,
  preempts,
  type Schedule,
  slept,
  withoutShare,
  withShare,
  woken,
} from "./schedule.js";

/** A VM that works for some ticks and then waits for some; without an end of its work it never waits. */
interface Behaviour {
  readonly weight: number;
  readonly cap: number;
  readonly works?: number;
  readonly waits?: number;
}

interface Outcome {
  readonly ran: readonly number[];
  /** Ticks that processors idled while a VM without a cap wanted one. */
  readonly wasted: number;
  /** The longest that a VM which wanted a processor had none. */
  readonly hunger: readonly number[];
}

/** Time goes on from event to event, as the hypervisor goes on from exit to exit. */
function simulate(behaviours: readonly Behaviour[], periods: number, processors = 1, slice = PERIOD): Outcome {
  let schedule: Schedule = newSchedule(processors, slice);
  for (const { weight, cap } of behaviours) schedule = withShare(schedule, weight, cap);
  const end = periods * PERIOD;
  const ran = behaviours.map(() => 0);
  const hunger = behaviours.map(() => 0);
  const lastHad = behaviours.map(() => 0);
  const left = behaviours.map(({ works }) => works ?? Number.POSITIVE_INFINITY);
  const wake: (number | undefined)[] = behaviours.map(() => undefined);
  const running: ({ vm: number; since: number; until: number } | undefined)[] = Array.from(
    { length: processors },
    () => undefined,
  );
  let wasted = 0;
  let now = 0;
  const isOn = (vm: number): boolean => running.some((turn) => turn?.vm === vm);
  const isReady = (vm: number): boolean => wake[vm] === undefined;
  const wants = (vm: number): boolean => isReady(vm) && !isOn(vm);
  const pays = (): void => {
    running.forEach((turn, index) => {
      if (turn === undefined) return;
      const ticks = now - turn.since;
      schedule = charged(schedule, turn.vm, ticks);
      ran[turn.vm]! += ticks;
      left[turn.vm]! -= ticks;
      lastHad[turn.vm] = now;
      running[index] = { ...turn, since: now };
    });
  };
  while (now < end) {
    pays();
    schedule = accounted(schedule, now, isReady);
    running.forEach((turn, index) => {
      if (turn === undefined) return;
      if (left[turn.vm]! <= 0) {
        const { works, waits } = behaviours[turn.vm]!;
        left[turn.vm] = works!;
        wake[turn.vm] = now + waits!;
        schedule = slept(schedule, turn.vm);
        running[index] = undefined;
      } else if (now >= turn.until) {
        schedule = moved(schedule, turn.vm);
        running[index] = undefined;
      }
    });
    wake.forEach((tick, vm) => {
      if (tick === undefined || tick > now) return;
      wake[vm] = undefined;
      lastHad[vm] = now;
      schedule = woken(schedule, vm);
    });
    for (let index = 0; index < processors; index++) {
      if (running[index] !== undefined && !preempts(schedule, wants)) continue;
      running[index] = undefined;
      const vm = pick(schedule, wants);
      if (vm === undefined) continue;
      hunger[vm] = Math.max(hunger[vm]!, now - lastHad[vm]!);
      const [next, ticks] = begun(schedule, vm);
      schedule = next;
      running[index] = { vm, since: now, until: now + ticks };
    }
    const times = [
      schedule.due,
      end,
      ...running.flatMap((turn) => (turn === undefined ? [] : [turn.until, now + left[turn.vm]!])),
      ...wake.flatMap((tick) => (tick === undefined ? [] : [tick])),
    ];
    const next = Math.min(...times);
    const idle = running.filter((turn) => turn === undefined).length;
    if (idle > 0 && behaviours.some(({ cap }, vm) => cap === 0 && wants(vm))) wasted += idle * (next - now);
    now = next;
  }
  pays();
  behaviours.forEach((_, vm) => {
    if (wants(vm)) hunger[vm] = Math.max(hunger[vm]!, now - lastHad[vm]!);
  });
  return { ran, wasted, hunger };
}

const weight = fc.integer({ min: 16, max: 1024 });
const slice = fc.integer({ min: 100_000, max: PERIOD });
const busy = fc.record({ weight, cap: fc.constant(0) });
const capped = fc.record({ weight, cap: fc.integer({ min: 1, max: 100 }) });
const sleeper = fc.record({
  weight,
  cap: fc.constantFrom(0, 0, 10, 50),
  works: fc.integer({ min: 20_000, max: 2 * PERIOD }),
  waits: fc.integer({ min: 20_000, max: 4 * PERIOD }),
});
const any = fc.oneof(busy, capped, sleeper);

describe("the credit scheduler", () => {
  it("gives VMs that always want a processor its time by weight: within a turn for each of them after any number of periods", () => {
    fc.assert(
      fc.property(
        fc.array(busy, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 300 }),
        slice,
        (vms, periods, turn) => {
          const { ran } = simulate(vms, periods, 1, turn);
          const weights = vms.reduce((sum, vm) => sum + vm.weight, 0);
          vms.forEach((vm, number) => {
            const due = (periods * PERIOD * vm.weight) / weights;
            expect(Math.abs(ran[number]! - due)).toBeLessThanOrEqual(vms.length * (turn + 1));
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives no VM more than its cap over any number of periods", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(capped, any), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 3 }),
        slice,
        (vms, periods, processors, turn) => {
          const { ran } = simulate(vms, periods, processors, turn);
          vms.forEach(({ cap }, number) => {
            if (cap !== 0) expect(ran[number]!).toBeLessThanOrEqual(periods * Math.floor((PERIOD * cap) / 100));
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("leaves no processor idle that a VM without a cap wants", () => {
    fc.assert(
      fc.property(
        fc.array(any, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        slice,
        (vms, processors, turn) => {
          expect(simulate(vms, 40, processors, turn).wasted).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("lets no VM starve: each without a cap has a processor again within a time that its weight tells", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(busy, sleeper), { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 2 }),
        slice,
        (vms, processors, turn) => {
          const { hunger } = simulate(vms, 60, processors, turn);
          const weights = vms.reduce((sum, vm) => sum + vm.weight, 0);
          vms.forEach((vm, number) => {
            // As long as it takes to pay a turn, and the period that cannot be paid for, back.
            const longest = (2 * PERIOD * weights) / vm.weight + 2 * vms.length * PERIOD;
            if (vm.cap === 0) expect(hunger[number]!).toBeLessThan(longest);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives a VM that wakes with credit left a processor at once", () => {
    let schedule = withShare(withShare(newSchedule(1, PERIOD), 256, 0), 256, 0);
    schedule = accounted(schedule, PERIOD, () => true);
    schedule = slept(schedule, 1);
    expect(preempts(schedule, () => false)).toBe(false);
    schedule = woken(schedule, 1);
    expect(preempts(schedule, (vm) => vm === 1)).toBe(true);
    expect(pick(schedule, () => true)).toBe(1);
  });

  it("shares the processors by weight among the VMs that are left when one is gone", () => {
    const three = [256, 512, 256].reduce((schedule, one) => withShare(schedule, one, 0), newSchedule(1, PERIOD));
    const two = withoutShare(three, 1);
    expect(two.queue).toEqual([0, 1]);
    expect(two.shares.map((share) => share.weight)).toEqual([256, 256]);
  });
});
