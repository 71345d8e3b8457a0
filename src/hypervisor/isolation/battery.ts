/**
 * Attacks of one guest on everything else: guest A makes them, guest B works beside it, and what B and the hypervisor are afterwards is
 * compared with what they are beside a guest that does nothing.
 */
import { Machine } from "../../hardware/machine.js";
import { deepFreeze } from "../../hardware/machine-content.js";
import type { Stop } from "../../hardware/state.js";
import { VirtlabError } from "../../state/error.js";
import { Hypervisor } from "../hypervisor.js";
import type { VmOptions } from "../options.js";
import { PERIOD } from "../schedule.js";
import { usualHosts } from "../techniques/hosts.js";
import { type TechniqueName, techniqueNames } from "../techniques/names.js";
import { paravirtualMachine } from "../techniques/pv/builder.js";
import { type AttackName, attackNames, attacks as attackTable } from "./attacks.js";
import { differences, type GuardedName, guardedNames } from "./guarded.js";
import { type ProtectionName, without } from "./protections.js";
import { paravirtualAttack, paravirtualIdle } from "./pv-attacks.js";

/** Whether what was looked at is as it is without the attack. */
export type Verdict = "held" | "broken" | "not applicable";

export interface AttackReport {
  readonly technique: TechniqueName;
  readonly attack: AttackName;
  /** Of all that is looked at. */
  readonly verdict: Verdict;
  /** What is not as it is without the attack. */
  readonly broken: readonly GuardedName[];
  /** What guest B is at its end: registers, memory, devices, its time. */
  readonly guest: Verdict;
  /** B had at least its half of the processor until then. */
  readonly share: Verdict;
  /** The hypervisor itself: its code and tables, what it keeps for VMs, its registers and devices, frames that nobody has. */
  readonly hypervisor: Verdict;
  /** Why the attack cannot be made, how the hypervisor failed, or how the attacker ended. */
  readonly why: string;
}

export interface IsolationOptions {
  /** Default: all. */
  readonly technique?: TechniqueName | readonly TechniqueName[];
  /** The guest `attacker`. */
  readonly attacker: Uint8Array;
  /** A guest that comes to an end by itself: B. */
  readonly victim: Uint8Array;
  /** The same for paravirtualization, whose guests have to ask their hypervisor. Default: the victim. */
  readonly paravirtualVictim?: Uint8Array;
  /** Default: all. */
  readonly attacks?: readonly AttackName[];
  /** RAM of each guest: bytes, or text such as "8M". Default 16 MiB. */
  readonly memory?: number | string;
  /** Steps of the host at the most, until B is at its end and as many until A is. Default: 60 million. */
  readonly maxInstructions?: number;
}

/** The guests that take part. */
interface Guests {
  /** The attacker, told to make an attack; undefined where it has nothing to make it with. */
  readonly attacker: (attack: AttackName) => Machine | undefined;
  /** A guest that does nothing, with as much memory. */
  readonly idle: Machine;
  readonly victim: Machine;
}

const MEMORY = "16M";
const HOST_MEMORY = "128M";
/** Per cent of the processor that A may have. */
const CAP = 40;
/** A turn and the accounting of the scheduler. */
const SLACK = 2 * PERIOD;
/** Of an attack that has no end: ticks of the host behind B's end. */
const ENDLESS = 2 * PERIOD;
/** Ticks of a step of the host at the most: under simulation a quantum. */
const LONGEST_STEP = 16_384;
/** A disk that a master of the bus may read. */
const DISK = Uint8Array.from({ length: 63 * 512 }, (_, index) => index * 7);
/** CLI, HLT, and again. */
const IDLE = Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfc);

/** Guests that ask their hypervisor. */
function paravirtualGuests({ victim, paravirtualVictim = victim, memory = MEMORY }: IsolationOptions): Guests {
  const { model } = usualHosts.pv;
  const make = (image: Uint8Array): Machine => paravirtualMachine({ image, model, memory });
  return {
    attacker: (attack) => {
      const image = paravirtualAttack(attack);
      return image === undefined ? undefined : make(image);
    },
    idle: make(paravirtualIdle()),
    victim: make(paravirtualVictim),
  };
}

function guestsOf(technique: TechniqueName, options: IsolationOptions): Guests {
  if (technique === "pv") return paravirtualGuests(options);
  const { attacker, victim, memory = MEMORY } = options;
  const { model } = usualHosts[technique];
  const boot = (image: Uint8Array, append = ""): Machine =>
    Machine.boot({ image, append, model, memory, machine: "pc", disks: [DISK] });
  return {
    attacker: (attack) => boot(attacker, attack),
    idle: boot(IDLE),
    victim: Machine.boot({ image: victim, model, memory }),
  };
}

const NOTHING_TO_ATTACK_WITH = "a paravirtual machine has no such device or mode";

interface Outcome {
  readonly end: Hypervisor;
  /** How the hypervisor failed; undefined where it did not. */
  readonly failed: string | undefined;
  /** Host ticks until B's end; undefined where it came to none. */
  readonly ticks: number | undefined;
}

/** Lets the host go on to a tick, or until it goes no further. */
function until(host: Hypervisor, tick: number): Hypervisor {
  let end = host;
  do {
    const left = tick - end.ticks;
    const isSim = end.vm("A").technique === "sim";
    end = end.run({ maxInstructions: Math.ceil(left / (isSim ? LONGEST_STEP : 1)) });
  } while (end.ticks < tick && end.stop?.reason === "limit");
  return end;
}

/** Lets both guests come to their ends. */
function outcomeOf(host: Hypervisor, limit: number, attack?: AttackName): Outcome {
  let end = host;
  let ticks: number | undefined;
  try {
    end = host.run({ until: { vm: "B" }, maxInstructions: limit });
    if (end.vm("B").status.kind === "stopped") ticks = end.ticks;
    if (attack !== undefined && attackTable[attack].endless) end = until(end, end.ticks + ENDLESS);
    else if (end.vm("A").status.kind !== "stopped") end = end.run({ until: { vm: "A" }, maxInstructions: limit });
    return { end, failed: undefined, ticks };
  } catch (error) {
    return { end, failed: (error as Error).message, ticks };
  }
}

const wordsOf = (stop: Stop | undefined): string =>
  stop === undefined ? "goes on" : stop.reason === "unsupported" ? stop.detail : stop.reason;

function attackerEnd({ end, failed }: Outcome): string {
  if (failed !== undefined) return `the hypervisor failed: ${failed}`;
  if (end.stop !== undefined && !["until", "limit", "halted"].includes(end.stop.reason))
    return `the host itself stopped: ${wordsOf(end.stop)}`;
  const { status } = end.vm("A");
  return `attacker: ${wordsOf(status.kind === "stopped" ? status.stop : undefined)}`;
}

function brokenBy(outcome: Outcome, expected: Outcome, technique: TechniqueName): readonly GuardedName[] {
  const { end, failed, ticks } = outcome;
  if (failed !== undefined) return ["hypervisor's course"];
  const a = end.vm("A");
  const holds: Partial<Record<GuardedName, boolean>> = {
    "guest B": ticks === undefined || end.vm("B").machine.hash === expected.end.vm("B").machine.hash,
    "B's share": ticks !== undefined && ticks <= 2 * expected.ticks! + SLACK,
    "A's cap": a.charged <= (CAP / 100) * (end.ticks + PERIOD) + PERIOD / 4,
    "hypervisor's course": end.stop?.reason !== "triple-fault" && end.stop?.reason !== "unsupported",
  };
  const others = differences(end, expected.end, technique);
  return guardedNames.filter((name) => holds[name] === false || others.includes(name));
}

const forB: readonly GuardedName[] = ["guest B"];
const forShare: readonly GuardedName[] = ["B's share"];

function reportOf(
  technique: TechniqueName,
  attack: AttackName,
  broken: readonly GuardedName[],
  why: string,
  isMade: boolean,
): AttackReport {
  const among = (names: readonly GuardedName[]): Verdict =>
    !isMade ? "not applicable" : broken.some((name) => names.includes(name)) ? "broken" : "held";
  return {
    technique,
    attack,
    verdict: among(guardedNames),
    broken,
    guest: among(forB),
    share: among(forShare),
    hypervisor: among(guardedNames.filter((name) => !forB.includes(name) && !forShare.includes(name))),
    why,
  };
}

function checkNames<Name extends string>(what: string, names: readonly Name[], known: readonly Name[]): void {
  for (const name of names)
    if (!known.includes(name))
      throw new VirtlabError(`isolation: ${what} "${String(name)}" is unknown (known: ${known.join(", ")})`);
}

/** @throws VirtlabError for an attacker that makes no such attack. */
function checkBegun({ end, failed }: Outcome, attack: AttackName): void {
  const { status, serial } = end.vm("A");
  const cannotRun = status.kind === "stopped" && status.stop.reason === "unsupported";
  if (failed === undefined && !cannotRun && !serial.startsWith(`attack ${attack}: begins`))
    throw new VirtlabError(`isolation: the attacker does not begin the attack "${attack}"; the guest "attacker" would`);
}

/** The attacks under one technique, with A without some of its protections. */
function underTechnique(
  technique: TechniqueName,
  options: IsolationOptions,
  removed: readonly ProtectionName[],
): readonly AttackReport[] {
  const { attacks = attackNames, maxInstructions = 60_000_000 } = options;
  const { model, bits } = usualHosts[technique];
  const host = Hypervisor.create({ model, bits, memory: HOST_MEMORY });
  const vm = (name: string, guest: Machine): VmOptions => ({ name, guest, technique });
  const withA = (beside: Hypervisor, guest: Machine): Hypervisor =>
    beside.addVm(without({ ...vm("A", guest), cap: CAP }, removed));
  let guests: Guests;
  let alone: Hypervisor;
  let expected: Outcome;
  try {
    guests = guestsOf(technique, options);
    alone = host.addVm(vm("B", guests.victim));
    expected = outcomeOf(withA(alone, guests.idle), maxInstructions);
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    const { message } = error;
    return attacks.map((attack) => reportOf(technique, attack, [], message, false));
  }
  const { status } = expected.end.vm("B");
  if (status.kind === "stopped" && status.stop.reason === "unsupported") {
    const { detail } = status.stop;
    return attacks.map((attack) => reportOf(technique, attack, [], `the victim: ${detail}`, false));
  }
  if (expected.ticks === undefined)
    throw new VirtlabError(`isolation: the victim does not come to an end in ${maxInstructions} steps of the host`);
  return attacks.map((attack) => {
    const attacker = guests.attacker(attack);
    if (attacker === undefined) return reportOf(technique, attack, [], NOTHING_TO_ATTACK_WITH, false);
    const outcome = outcomeOf(withA(alone, attacker), maxInstructions, attack);
    if (technique !== "pv" && removed.length === 0) checkBegun(outcome, attack);
    return reportOf(technique, attack, brokenBy(outcome, expected, technique), attackerEnd(outcome), true);
  });
}

/** The battery with A without some of its protections: for tests. */
export function battery(options: IsolationOptions, removed: readonly ProtectionName[]): readonly AttackReport[] {
  const { technique = techniqueNames, attacks = attackNames } = options;
  const chosen = typeof technique === "string" ? [technique] : technique;
  checkNames("technique", chosen, techniqueNames);
  checkNames("attack", attacks, attackNames);
  return deepFreeze(chosen.flatMap((one) => underTechnique(one, options, removed)));
}

/** Makes each attack on a host of its own, beside a guest that does its work. */
export const isolation = (options: IsolationOptions): readonly AttackReport[] => battery(options, []);
