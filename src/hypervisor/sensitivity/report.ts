/**
 * Popek and Goldberg's theorems, evaluated on a processor model: every instruction form is run in pairs of states, and
 * what it did decides its class. There is no list of instructions here.
 *
 * Spec: G. J. Popek and R. P. Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures", CACM
 * 17(7), 1974: "Instruction Behavior" for the classes, theorem 1, and "Hybrid Virtual Machines" for theorem 3.
 */

import { checkedModel, includes, type ModelName } from "../../hardware/cpu/model.js";
import { VirtlabError } from "../../state/error.js";
import { classify, type Findings, type InstructionClass } from "./classify.js";
import type { InstructionForm } from "./forms.js";
import type { Bits } from "./tables.js";
import { type MachineTrial, tryAll } from "./trials.js";
import type { World } from "./worlds.js";

export interface SensitivityOptions {
  /** Processor model. Default "pentium2", a processor of the time when the question was asked. */
  readonly model?: ModelName;
  /** 32-bit protected mode (the default) or 64-bit mode. */
  readonly bits?: 32 | 64;
  /** CR4.UMIP: user-mode instruction prevention, where the model has it. Default false. */
  readonly umip?: boolean;
  /** I/O privilege level that the monitor lets its guest run with. Default 0. */
  readonly iopl?: 0 | 3;
}

/** An instruction form, its class, and the states that show it. */
export interface FormReport extends Findings<MachineTrial>, Omit<InstructionForm, "encodings"> {
  /** All that was tried: for each choice of operands a trial in each of the four worlds, in their order. */
  readonly trials: readonly (readonly MachineTrial[])[];
}

/** All forms of a mnemonic. */
export interface MnemonicReport {
  readonly mnemonic: string;
  /** That of the form with the worst one: control-sensitive, behaviour-sensitive, privileged, innocuous. */
  readonly class: InstructionClass;
  /** Sections of the manual that describe those forms. */
  readonly specs: readonly string[];
  readonly forms: readonly FormReport[];
}

/** Whether a theorem's condition holds, and the mnemonics that break it. */
export interface TheoremReport {
  readonly holds: boolean;
  readonly violations: readonly string[];
}

export interface SensitivityReport {
  readonly model: ModelName;
  readonly bits: 32 | 64;
  readonly umip: boolean;
  readonly iopl: 0 | 3;
  /** The four machines: supervisor and user, each in two locations. */
  readonly worlds: readonly World[];
  readonly forms: readonly FormReport[];
  readonly mnemonics: readonly MnemonicReport[];
  /** Mnemonics of each class. */
  readonly counts: Readonly<Record<InstructionClass, number>>;
  /** A virtual machine monitor can be built if the sensitive instructions are privileged ones. */
  readonly theorem1: TheoremReport;
  /** A hybrid monitor, which interprets supervisor mode, can be built if the user-sensitive instructions are privileged ones. */
  readonly theorem3: TheoremReport;
}

/** Worst first. */
const order = ["control-sensitive", "behaviour-sensitive", "privileged", "innocuous"] as const;

function mnemonicReport(mnemonic: string, forms: readonly FormReport[]): MnemonicReport {
  const worst = order.find((one) => forms.some((form) => form.class === one))!;
  const specs = new Set(forms.filter((form) => form.class === worst).map(({ spec }) => spec));
  return Object.freeze({ mnemonic, class: worst, specs: Object.freeze([...specs]), forms: Object.freeze(forms) });
}

function theorem(forms: readonly FormReport[], isSensitive: (form: FormReport) => boolean): TheoremReport {
  const broken = forms.filter((form) => isSensitive(form) && form.class !== "privileged");
  const violations = [...new Set(broken.map(({ mnemonic }) => mnemonic))].sort();
  return Object.freeze({ holds: violations.length === 0, violations: Object.freeze(violations) });
}

function checked({ model: name = "pentium2", bits = 32, umip = false, iopl = 0 }: SensitivityOptions) {
  const model = checkedModel(name);
  if (!includes(model, ["I486", "MSR"]))
    throw new VirtlabError(
      `sensitivity: model "${model}" has no model-specific registers; the oldest one that will do is "pentium"`,
    );
  if (bits === 64 && !includes(model, "LM")) throw new VirtlabError(`sensitivity: model "${model}" has no 64-bit mode`);
  if (umip && !includes(model, "UMIP")) throw new VirtlabError(`sensitivity: model "${model}" has no UMIP`);
  return { model, bits: bits as Bits, umip, iopl };
}

/**
 * Runs every instruction form of a processor model in pairs of machine states, classifies it by what it did, and
 * evaluates Popek and Goldberg's theorems 1 and 3.
 *
 * A state is <E, M, P, R>: storage, mode, program counter, relocation-bounds register. Here *M* is the CPL, 0 or
 * 3. *R* is all that a monitor keeps for itself: segment registers, page tables and physical memory, GDTR, IDTR, LDTR, TR,
 * control, debug and model-specific registers, IF and IOPL, devices. *E* and *P* are the rest: general registers, the
 * other flags, x87, MMX and XMM registers, EIP, the bytes of the guest's memory. There are four machines, for two modes
 * and two values of R (locations), which are the same in E and P; each form is run on them with several operands.
 * Time is the same in all of them, as the paper leaves it aside up to theorem 2.
 *
 * - *privileged*: in every pair in which the supervisor executes it, the user traps. Where the supervisor traps,
 *   too, the operand was bad: such a pair says nothing, nor does one with a page fault (the paper's memory trap).
 * - *control-sensitive*: in some state it changes R or M without a trap.
 * - *behaviour-sensitive*: what it does to E and P differs between two states that differ in M or in R alone, without a
 *   trap of the user's.
 * - *innocuous*: none of these.
 *
 * @throws VirtlabError for a model that is unknown, older than the Pentium, or lacks what is asked for.
 * @example
 * const report = sensitivity();
 * report.theorem1.holds // => false
 * report.theorem1.violations.includes("POPF") // => true
 * report.theorem3.violations.includes("POPF") // => false
 * report.mnemonics.find(({ mnemonic }) => mnemonic === "HLT")?.class // => 'privileged'
 */
export function sensitivity(options: SensitivityOptions = {}): SensitivityReport {
  const asked = checked(options);
  const { worlds, forms: tried } = tryAll(asked);
  const forms = tried.map(
    ({ form: { encodings: _encodings, ...form }, trials }): FormReport =>
      Object.freeze({ ...form, ...classify(trials), trials }),
  );
  const names = [...new Set(forms.map(({ mnemonic }) => mnemonic))].sort();
  const mnemonics = names.map((name) =>
    mnemonicReport(
      name,
      forms.filter(({ mnemonic }) => mnemonic === name),
    ),
  );
  const count = (one: InstructionClass): number => mnemonics.filter((report) => report.class === one).length;
  return Object.freeze({
    ...asked,
    worlds,
    forms: Object.freeze(forms),
    mnemonics: Object.freeze(mnemonics),
    counts: Object.freeze({
      privileged: count("privileged"),
      "control-sensitive": count("control-sensitive"),
      "behaviour-sensitive": count("behaviour-sensitive"),
      innocuous: count("innocuous"),
    }),
    theorem1: theorem(forms, ({ sensitive }) => sensitive),
    theorem3: theorem(forms, ({ userSensitive }) => userSensitive),
  });
}
