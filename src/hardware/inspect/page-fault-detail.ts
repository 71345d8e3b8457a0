/**
 * What of a page walk a #PF comes from: the entry that ended it, and why the access was refused.
 * Spec: SDM Vol. 3A, "Page-Fault Exceptions", "Access Rights".
 */
import type { PageTableEntry, PageWalk } from "../cpu/page-walk.js";
import { PF } from "../cpu/paging.js";
import { CR0, FLAG } from "../cpu/state.js";
import { addressText } from "../linear-memory.js";
import type { Machine } from "../machine.js";
import { pageFaultAccess } from "./error-code.js";
import type { FaultDetail, FaultScene } from "./fault-detail.js";

const SPEC = 'SDM Vol. 3A, "Page-Fault Exceptions"';

export function pageFault({ fault, machine, exact }: FaultScene): FaultDetail {
  const { cr2 = machine.registers.cr2, errorCode = 0 } = fault;
  const walk = walkOfFault(machine, cr2, errorCode);
  const access = `${pageFaultAccess(errorCode).replace(/^a/, "A")} of linear ${addressText(cr2)}`;
  if (walk.fault?.errorCode !== errorCode) {
    const why = (errorCode & PF.P) === 0 ? "no page was present there" : "the rights of the page did not allow it";
    return { check: `${access}: ${why}${exact ? "" : " (the tables have changed since)"}.`, spec: SPEC, walk };
  }
  return { check: `${access}: ${reasonOf(walk, errorCode, machine)}.`, spec: SPEC, walk };
}

/** The walk of the access that an error code tells of. It does not tell whether the processor made it by itself, which SMAP asks. */
function walkOfFault(machine: Machine, cr2: number, errorCode: number): PageWalk {
  const access = {
    write: (errorCode & PF.W) !== 0,
    user: (errorCode & PF.U) !== 0,
    fetch: (errorCode & PF.I) !== 0,
  };
  const walk = machine.walk(cr2, access);
  return walk.fault === undefined ? machine.walk(cr2, { ...access, implicit: true }) : walk;
}

const wordsText = ({ words: [low, high], bytes }: PageTableEntry): string =>
  `0x${bytes === 8 ? high.toString(16).padStart(8, "0") : ""}${low.toString(16).padStart(8, "0")}`;

const named = (entry: PageTableEntry): string =>
  `the ${entry.table} entry at physical ${addressText(entry.address)} (${wordsText(entry)})`;

/** The entry that ended the walk, and why. */
function reasonOf({ entries, fault }: PageWalk, errorCode: number, machine: Machine): string {
  const last = entries.at(-1);
  if (last === undefined) return "there is no entry";
  const user = (errorCode & PF.U) !== 0;
  switch (fault?.rule) {
    case "page-not-present":
      return `${named(last)} is not present`;
    case "page-reserved-bits":
      return `${named(last)} has reserved bits set`;
    case "page-execute-disable": {
      const disabled = entries.find(({ executeDisable }) => executeDisable) ?? last;
      return `${named(disabled)} has XD set, so no code is fetched from there`;
    }
    case "page-user-code":
      return `${named(last)} is for the user, and CR4.SMEP keeps the supervisor from executing what the user may write`;
    case "page-user-data":
      return `${named(last)} is for the user, and CR4.SMAP lets the supervisor there only with EFLAGS.AC set${
        (machine.registers.eflags & FLAG.AC) === 0 ? "" : ", and not by the processor's own accesses"
      }`;
    default:
      return rightsOf(entries, user, machine);
  }
}

function rightsOf(entries: readonly PageTableEntry[], user: boolean, machine: Machine): string {
  const supervisor = user ? entries.find((entry) => !entry.user) : undefined;
  if (supervisor) return `${named(supervisor)} is for the supervisor only`;
  const readOnly = entries.find((entry) => !entry.writable);
  if (!readOnly) return "the rights do not allow it";
  const why = !user && (machine.registers.cr0 & CR0.WP) !== 0 ? ", and CR0.WP makes that count in ring 0, too" : "";
  return `${named(readOnly)} is read-only${why}`;
}
