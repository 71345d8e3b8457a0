/**
 * The checks that end in an exception, by name: what was checked, in one sentence, and where the manual says so. Every
 * `Fault` names the one that failed, so that "why?" has an answer that is not a guess.
 */

export interface Rule {
  /** The check that failed, as a sentence: "CPL is above IOPL". */
  readonly check: string;
  /** Section of the manual, by its title. */
  readonly spec: string;
}

export const rules = {
  "cpl-not-0": {
    check: "The instruction is privileged and CPL is not 0.",
    spec: 'SDM Vol. 3A, "Privileged Instructions"',
  },
  // Control, debug and model-specific registers, paging, SYSENTER.
  "no-control-register": {
    check: "The model has no control register of that number.",
    spec: 'SDM Vol. 2B, "MOV—Move to/from Control Registers"',
  },
  "cr0-pg-without-pe": {
    check: "CR0.PG would be set while CR0.PE is clear.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr0-nw-without-cd": {
    check: "CR0.NW would be set while CR0.CD is clear.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr4-reserved": {
    check: "A bit of CR4 would be set that the model does not have.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "pdpte-reserved": {
    check: "A present page-directory-pointer-table entry has a reserved bit set.",
    spec: 'SDM Vol. 3A, "PDPTE Registers"',
  },
  "no-debug-register": {
    check: "DR4 and DR5 are no registers while CR4.DE is set.",
    spec: 'SDM Vol. 3B, "Debug Registers DR4 and DR5"',
  },
  "debug-registers-guarded": {
    check: "A debug register is accessed while DR7.GD is set.",
    spec: 'SDM Vol. 3B, "Debug Control Register (DR7)"',
  },
  "msr-unknown": {
    check: "ECX is the address of no model-specific register of the model.",
    spec: 'SDM Vol. 2B, "RDMSR—Read From Model Specific Register"',
  },
  "msr-read-only": {
    check: "The model-specific register cannot be written.",
    spec: 'SDM Vol. 2B, "WRMSR—Write to Model Specific Register"',
  },
  "msr-reserved": {
    check: "A reserved bit of the model-specific register would be set.",
    spec: 'SDM Vol. 2B, "WRMSR—Write to Model Specific Register"',
  },
  "rdtsc-forbidden": {
    check: "CR4.TSD is set and CPL is not 0.",
    spec: 'SDM Vol. 2B, "RDTSC—Read Time-Stamp Counter"',
  },
  "rdpmc-forbidden": {
    check: "CR4.PCE is clear and CPL is not 0.",
    spec: 'SDM Vol. 2B, "RDPMC—Read Performance-Monitoring Counters"',
  },
  "no-performance-counter": {
    check: "ECX is the number of no performance-monitoring counter of the model.",
    spec: 'SDM Vol. 2B, "RDPMC—Read Performance-Monitoring Counters"',
  },
  "fast-call-in-real-mode": {
    check: "CR0.PE is clear.",
    spec: 'SDM Vol. 2B, "SYSENTER—Fast System Call"',
  },
  "fast-call-without-selector": {
    check: "IA32_SYSENTER_CS is null.",
    spec: 'SDM Vol. 2B, "SYSENTER—Fast System Call"',
  },
  "x87-task-switched": {
    check: "CR0.MP and CR0.TS are set.",
    spec: 'SDM Vol. 2D, "WAIT/FWAIT—Wait"',
  },
  "page-not-present": {
    check: "An entry on the way to the page is not present.",
    spec: 'SDM Vol. 3A, "Page-Fault Exceptions"',
  },
  "page-rights": {
    check: "The page is for the supervisor only, or read-only.",
    spec: 'SDM Vol. 3A, "Access Rights"',
  },
  "page-reserved-bits": {
    check: "A present entry on the way to the page has a reserved bit set.",
    spec: 'SDM Vol. 3A, "Page-Fault Exceptions"',
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
