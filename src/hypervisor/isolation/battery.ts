/**
 * Attacks of one guest on everything else: guest A makes them, guest B works beside it, and what B and the hypervisor are afterwards is
 * compared with what they are without the attack.
 */
import { Machine } from "../../hardware/machine.js";
import { deepFreeze } from "../../hardware/machine-content.js";
import { contentHash } from "../../state/hash.js";
import { Hypervisor } from "../hypervisor.js";
import { PLACE } from "../layout.js";
import { usualHosts } from "../techniques/hosts.js";
import type { TechniqueName } from "../techniques/names.js";

/** Attacks of the guest `attacker`, by the word on its command line. */
export const attackNames = Object.freeze([
  ...(["memory", "page-tables", "ports-in", "ports-out", "mmio", "dma", "storm", "nmi", "hypercalls"] as const),
  ...(["virtualization", "virtualization-on", "msr", "control-registers", "cr4", "control-register-pairs"] as const),
  ...(["segments", "segment-limits", "triple-fault", "reset-keyboard", "reset-port-92", "reset-port-cf9"] as const),
  "hog" as const,
]);
export type AttackName = (typeof attackNames)[number];

/** Whether what was looked at is as it is without the attack. */
export type Verdict = "held" | "broken";

export interface AttackReport {
  readonly technique: TechniqueName;
  readonly attack: AttackName;
  /** What guest B is at its end: registers, memory, devices, its time. */
  readonly guest: Verdict;
  /** B had at least its half of the processor until then. */
  readonly share: Verdict;
  /** The hypervisor's code and interrupt table, its page tables but for accessed and dirty flags. */
  readonly hypervisor: Verdict;
}

export interface IsolationOptions {
  readonly technique: TechniqueName;
  /** The guest `attacker`. */
  readonly attacker: Uint8Array;
  /** A guest that comes to an end by itself: B. */
  readonly victim: Uint8Array;
  /** Default: all. */
  readonly attacks?: readonly AttackName[];
}

const MEMORY = 2 ** 24;
/** Nothing that has its share takes as long. */
const LIMIT = 60_000_000;
/** A turn and the accounting of the scheduler: 60 ms in ticks. */
const SLACK = 6_013_636;
const ACCESSED_AND_DIRTY = 0x60;

/** What no guest may change, as one word. */
function hypervisorHash({ machine }: Hypervisor): string {
  const code = machine.memory.read(PLACE.code, PLACE.gdt - PLACE.code);
  const idt = machine.memory.read(PLACE.idt, PLACE.tss - PLACE.idt);
  const tables = machine.memory.read(PLACE.tables, PLACE.vmxon - PLACE.tables);
  for (let at = 0; at < tables.length; at += 4) tables[at]! &= ~ACCESSED_AND_DIRTY;
  const text = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16)).join(" ");
  return contentHash({ code: text(code), idt: text(idt), tables: text(tables) });
}

interface Outcome {
  /** Undefined where B did not come to its end. */
  readonly guest: string | undefined;
  readonly hypervisor: string;
  /** Host ticks that it took. */
  readonly ticks: number;
}

function outcomeOf(host: Hypervisor): Outcome {
  const end = host.run({ until: { vm: "B" }, maxInstructions: LIMIT });
  const { machine, status } = end.vm("B");
  return {
    guest: status.kind === "stopped" ? machine.hash : undefined,
    hypervisor: hypervisorHash(end),
    ticks: end.ticks,
  };
}

const verdict = (holds: boolean): Verdict => (holds ? "held" : "broken");

/** Makes each attack on a host of its own, beside a guest that does its work. */
export function isolation(options: IsolationOptions): readonly AttackReport[] {
  const { technique, attacker, victim, attacks = attackNames } = options;
  const { model, bits } = usualHosts[technique];
  const boot = (image: Uint8Array, append?: string): Machine =>
    Machine.boot({ image, model, memory: MEMORY, ...(append === undefined ? {} : { append }) });
  const host = Hypervisor.create({ model, bits, memory: 8 * MEMORY });
  // B has the same frames in all of them.
  const alone = host.addVm({ name: "B", guest: boot(victim), technique });
  const expected = outcomeOf(alone);
  const reports = attacks.map((attack): AttackReport => {
    const { guest, hypervisor, ticks } = outcomeOf(
      alone.addVm({ name: "A", guest: boot(attacker, attack), technique }),
    );
    return {
      technique,
      attack,
      guest: verdict(guest !== undefined && guest === expected.guest),
      share: verdict(guest !== undefined && ticks <= 2 * expected.ticks + SLACK),
      hypervisor: verdict(hypervisor === expected.hypervisor),
    };
  });
  return deepFreeze(reports);
}
