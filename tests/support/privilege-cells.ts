/** The table of privilege as cells: every form in every mode. */
import type { Cell, CellMode } from "./cell-image.js";
import { codeOf, type PrivilegeForm, privilegeForms, type World } from "./privilege-table.js";

export interface PrivilegeCell extends Cell {
  readonly form: PrivilegeForm;
  readonly expected: string;
}

const protectedModes: readonly CellMode[] = [0, 1, 2, 3].flatMap((cpl) =>
  ([0, 3] as const).map((iopl): CellMode => ({ kind: "protected", cpl: cpl as 0 | 1 | 2 | 3, iopl })),
);
export const modes: readonly CellMode[] = [
  { kind: "real" },
  ...protectedModes,
  { kind: "protected", cpl: 0, bits: 16 },
  { kind: "protected", cpl: 3, bits: 16 },
  { kind: "protected", cpl: 3, iopl: 3, bits: 16 },
  { kind: "virtual-8086", iopl: 0 },
  { kind: "virtual-8086", iopl: 3 },
];

export function modeName(mode: CellMode): string {
  if (mode.kind === "real") return "real mode";
  if (mode.kind === "virtual-8086") return `virtual-8086 mode, IOPL ${mode.iopl}`;
  return `CPL ${mode.cpl}, IOPL ${mode.iopl ?? 0}${mode.bits === 16 ? ", 16 bits" : ""}`;
}

/** Which of the six outcomes of a form a mode has. */
function column(mode: CellMode): number {
  if (mode.kind === "real") return 0;
  const high = mode.iopl === 3 ? 1 : 0;
  if (mode.kind === "virtual-8086") return 4 + high;
  return mode.cpl === 0 ? 1 : 2 + high;
}

function worldOf(mode: CellMode): World {
  if (mode.kind !== "protected") return { mode: mode.kind, cpl: mode.kind === "real" ? 0 : 3, bits: 16, cs: "0x1000" };
  const { cpl, bits = 32 } = mode;
  const cs = bits === 32 ? `code${cpl} | ${cpl}` : `code${cpl}_16 | ${cpl}`;
  return { mode: "protected", cpl, bits, cs: `(${cs})` };
}

/** Real mode has no error codes. */
const inMode = (mode: CellMode, outcome: string): string =>
  mode.kind === "real" && outcome === "#GP(0)" ? "#GP" : outcome;

export function privilegeCells(forms: readonly PrivilegeForm[] = privilegeForms): PrivilegeCell[] {
  return modes.flatMap((mode) => {
    const world = worldOf(mode);
    return forms.map((form): PrivilegeCell => {
      const { prepare, eflags } = form;
      const before = typeof prepare === "function" ? prepare(world) : prepare;
      return {
        ...{
          name: form.name,
          mode,
          form,
          code: codeOf(form, world),
          expected: inMode(mode, form.outcomes[column(mode)]!),
        },
        ...(before === undefined ? {} : { prepare: before }),
        ...(eflags === undefined ? {} : { eflags }),
      };
    });
  });
}
