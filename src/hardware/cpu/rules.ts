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
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
