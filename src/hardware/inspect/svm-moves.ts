/**
 * Which fields of a VMCB VMRUN loads and #VMEXIT saves and writes; the host's own lie in the host save area under the same names.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT", "Nested Paging Support".
 */

/** A field of a VMCB and the register it belongs to. */
export interface VmcbMove {
  readonly field: string;
  readonly register: string;
}

const segments = ["ES", "CS", "SS", "DS"].flatMap((name): VmcbMove[] => {
  const register = name.toLowerCase();
  return [
    { field: `${name}.selector`, register: `${register}.selector` },
    { field: `${name}.attrib`, register: `${register}.access` },
    { field: `${name}.limit`, register: `${register}.limit` },
    { field: `${name}.base`, register: `${register}.base` },
  ];
});
const tables = ["GDTR", "IDTR"].flatMap((name) =>
  ["limit", "base"].map((part): VmcbMove => ({ field: `${name}.${part}`, register: `${name.toLowerCase()}.${part}` })),
);
const same = ["CR4", "CR3", "CR0", "DR7", "DR6", "RFLAGS", "RIP", "RSP", "RAX"].map(
  (field): VmcbMove => ({ field, register: field.toLowerCase() }),
);

const state: readonly VmcbMove[] = [
  ...segments,
  ...tables,
  { field: "CPL", register: "cpl" },
  { field: "EFER", register: "IA32_EFER" },
  ...same,
];
const CR2: VmcbMove = { field: "CR2", register: "cr2" };
const PAT: VmcbMove = { field: "G_PAT", register: "IA32_PAT" };
const SHADOW: VmcbMove = { field: "INTERRUPT_SHADOW", register: "interrupt shadow" };

const withPat = (moves: readonly VmcbMove[], nested: boolean): readonly VmcbMove[] =>
  nested ? [...moves, PAT] : moves;

/** The guest's: loaded by VMRUN, saved by #VMEXIT. */
export const guestMoves = (nested: boolean): readonly VmcbMove[] => withPat([...state, CR2, SHADOW], nested);
/** The host's: saved by VMRUN. */
export const savedHost = (nested: boolean): readonly VmcbMove[] => withPat([...state, CR2], nested);
/** The host's as #VMEXIT loads it: CR2 stays the guest's, and DR7 and CPL are not from there. */
export const loadedHost = (nested: boolean): readonly VmcbMove[] =>
  withPat(
    state.filter(({ field }) => field !== "DR7" && field !== "CPL"),
    nested,
  );
/** Registers that #VMEXIT gives the same values always. */
export const fixedBySvmExit: readonly string[] = Object.freeze(["dr7", "activity", "interrupt shadow"]);

export const exitInformation: readonly string[] = Object.freeze([
  "EXITCODE",
  "EXITINFO1",
  "EXITINFO2",
  "EXITINTINFO",
  "EVENTINJ",
]);
/** Written where the guest has run: what of its virtual interrupts is left. */
export const guestInformation: readonly string[] = Object.freeze(["NRIP", "V_TPR", "V_IRQ"]);
