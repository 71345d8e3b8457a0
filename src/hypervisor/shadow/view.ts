/** Shadow page tables as a value to look at: each beside what it is made from. */
import { PTE } from "../../hardware/cpu/paging-levels.js";
import { stateOf } from "../../hardware/machine.js";
import type { MachineState } from "../../hardware/state.js";
import { VirtlabError } from "../../state/error.js";
import { readPages } from "../../state/page-map.js";
import { hostPhysical } from "../guest-memory.js";
import { KIND } from "../handlers.js";
import type { Hypervisor } from "../hypervisor.js";
import type { HypervisorState, VmState } from "../state.js";
import { techniques } from "../techniques/names.js";
import { formatOf } from "./format.js";
import type { ShadowCounts, ShadowState, ShadowTable } from "./state.js";

/** An entry of a shadow table, and the guest's that stands behind it. */
export interface ShadowEntryView {
  /** Its number in the table. */
  readonly index: number;
  /** As the guest has it; undefined where no table of the guest's has one for it. */
  readonly guest: bigint | undefined;
  /** As the processor walks it: 0 where nothing has asked for it yet, or what it said is no longer true. */
  readonly shadow: bigint;
}

/** A shadow table and what feeds it. */
export interface ShadowTableView {
  /** 4 to 1; the page table is 1. */
  readonly level: number;
  /**
   * "table": entry for entry of a table of the guest's. "split": in place of a large page of the guest's. "flat": linear is physical, as
   * without paging. "area": nothing of the guest's.
   */
  readonly kind: ShadowTable["kind"];
  /** Guest-physical address of the guest's table, or of the entry for the large page; undefined where there is none. */
  readonly guestAddress: number | undefined;
  /** Host-physical address of the shadow table. */
  readonly hostAddress: number;
  /** Bytes of an entry. */
  readonly entryBytes: 4 | 8;
  /** Those that are in either of both tables, without the hypervisor's own. */
  readonly entries: readonly ShadowEntryView[];
}

/** The shadow tables of a VM at this step. */
export interface ShadowTables {
  /** From the root down. */
  readonly tables: readonly ShadowTableView[];
  /** Guest-physical addresses of pages whose stores are seen, because they feed a shadow table or translated code. */
  readonly traced: readonly number[];
  /** Since the VM began. */
  readonly counts: ShadowCounts;
}

const PAGE = 4096;

/** The words of a page as entries. */
function entriesIn(bytes: Uint8Array, size: 4 | 8): readonly bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: PAGE / size }, (_, index) =>
    size === 8 ? view.getBigUint64(8 * index, true) : BigInt(view.getUint32(4 * index, true)),
  );
}

const has = (entry: bigint, flag: number): boolean => (entry & BigInt(flag)) !== 0n;

function tableView({ memory }: MachineState, vm: VmState, table: ShadowTable, size: 4 | 8): ShadowTableView {
  const { level, kind, guest, host } = table;
  const shadows = entriesIn(readPages(memory, host, PAGE), size);
  const source = kind === "table" ? hostPhysical(vm.extents, guest) : undefined;
  const guests = source === undefined ? undefined : entriesIn(readPages(memory, source, PAGE), size);
  const entries = shadows.flatMap((shadow, index): readonly ShadowEntryView[] => {
    const own = level > 1 && has(shadow, PTE.PS);
    const inGuest = guests?.[index];
    if (own || !(has(shadow, PTE.P) || (inGuest !== undefined && has(inGuest, PTE.P)))) return [];
    return [Object.freeze({ index, guest: inGuest, shadow })];
  });
  return Object.freeze({
    level,
    kind,
    guestAddress: guest < 0 ? undefined : guest,
    hostAddress: host,
    entryBytes: size,
    entries: Object.freeze(entries),
  });
}

/**
 * The shadow page tables of a VM, entry by entry beside the guest's own, as they are at this step.
 *
 * @throws VirtlabError for a name that no VM has, and for a VM whose technique keeps no shadow tables, or that has not run yet.
 */
export function shadowTables(hypervisor: Hypervisor, name: string): ShadowTables {
  const { technique, machine: guest } = hypervisor.vm(name);
  const host = stateOf(hypervisor.machine);
  const { vms } = host.supervisors![KIND]!.state as HypervisorState;
  const vm = vms.find((one) => one.name === name)!;
  const { shadow } = (vm.own ?? {}) as { readonly shadow?: ShadowState };
  if (shadow === undefined) {
    const why = vm.own === undefined ? "it has not run yet" : `${techniques[technique].title} keeps none`;
    throw new VirtlabError(`${name}: there are no shadow tables: ${why}`);
  }
  const size = formatOf(guest.cpu.system).wide ? 8 : 4;
  const ordered = Object.values(shadow.tables).sort((a, b) => b.level - a.level || a.guest - b.guest);
  return Object.freeze({
    tables: Object.freeze(ordered.map((table) => tableView(host, vm, table, size))),
    traced: Object.freeze(Object.keys(shadow.traces).map((frame) => Number(frame) * PAGE)),
    counts: shadow.counts,
  });
}
