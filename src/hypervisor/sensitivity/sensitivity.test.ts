/** Classes of instructions, against the list that Robin and Irvine made by reading the manual. */
import { describe, expect, it } from "vitest";
import { decode } from "../../hardware/isa/decoder.js";
import type { Machine } from "../../hardware/machine.js";
import { guestDifferences } from "./classify.js";
import { instructionForms } from "./forms.js";
import { type FormReport, type SensitivityReport, sensitivity } from "./report.js";
import { named, notOnTheList, robinIrvine, violations } from "./robin-irvine.test-helper.js";

const formOf = ({ forms }: SensitivityReport, text: string): FormReport => forms.find((form) => form.text === text)!;
const classOf = (report: SensitivityReport, mnemonic: string) =>
  report.mnemonics.find((one) => one.mnemonic === mnemonic)?.class;

const pentium2 = sensitivity();

describe("the sensitive unprivileged instructions of a Pentium II", () => {
  it("are those of Robin and Irvine, and some that they do not list", () => {
    expect(violations(pentium2)).toEqual([...robinIrvine, ...notOnTheList].sort());
    expect(pentium2.theorem1.holds).toBe(false);
  });

  it("count to 18 by mnemonics, as listed, and to 17 by sections of the manual", () => {
    const listed = pentium2.mnemonics.filter(({ mnemonic }) => robinIrvine.includes(named(mnemonic)));
    expect(new Set(listed.map(({ mnemonic }) => named(mnemonic))).size).toBe(18);
    expect(new Set(listed.flatMap(({ specs }) => specs)).size).toBe(17);
  });

  it("are user-sensitive but for POPF, VERR and VERW", () => {
    const userSensitive: readonly string[] = pentium2.theorem3.violations;
    expect(pentium2.theorem1.violations.filter((name) => !userSensitive.includes(name))).toEqual([
      "POPF",
      "VERR",
      "VERW",
    ]);
  });

  it("are control-sensitive if they change a segment, the mode or IF, and behaviour-sensitive if they only tell", () => {
    for (const name of ["POPF", "POP", "MOV", "CALL", "JMP", "INT", "RETF", "IRET", "SYSENTER"])
      expect([name, classOf(pentium2, name)]).toEqual([name, "control-sensitive"]);
    for (const name of ["SGDT", "SMSW", "STR", "PUSHF", "PUSH", "LAR", "VERR", "FNSTENV"])
      expect([name, classOf(pentium2, name)]).toEqual([name, "behaviour-sensitive"]);
  });

  it("are not among the privileged ones, nor are near transfers and arithmetic among them", () => {
    const privileged = pentium2.mnemonics.filter((one) => one.class === "privileged").map(({ mnemonic }) => mnemonic);
    expect(privileged).toEqual(
      "CLI CLTS HLT IN INS INVD INVLPG LGDT LIDT LLDT LMSW LTR OUT OUTS RDMSR STI SYSEXIT WBINVD WRMSR".split(" "),
    );
    expect(formOf(pentium2, "mov cr0, eax").class).toBe("privileged");
    for (const text of ["call 7", "jmp 4", "ret", "push ecx", "adc ecx, eax", "cpuid", "rdtsc", "fld1"])
      expect([text, formOf(pentium2, text)?.class]).toEqual([text, "innocuous"]);
  });
});

describe("what is shown of an instruction", () => {
  const findings = (text: string) => formOf(pentium2, text).findings;

  it("of POPF is that IF changes for the supervisor, and nobody is told for the user", () => {
    const [only, ...others] = findings("popf");
    expect(others).toEqual([]);
    expect(only).toMatchObject({ property: "changes resources", trials: [{ mode: "supervisor" }] });
    expect(only!.trials[0]!.outcome.monitor.map(({ name }) => name)).toEqual(["cpu.eflags"]);
  });

  it("of SMSW is another word of CR0 in another location", () => {
    const finding = findings("smsw eax").find(({ trials }) => trials[0]!.mode === "user")!;
    expect(finding.property).toBe("depends on location");
    const [a, b] = finding.trials;
    expect(guestDifferences(a!.outcome, b!.outcome)).toEqual(["cpu.eax"]);
    expect([a, b].map((trial) => trial!.machine.step().registers.eax)).toEqual(
      [a, b].map((trial) => trial!.machine.cpu.system.cr0 >>> 0),
    );
  });

  it("is what the machine does: every finding comes out again, step by step", () => {
    const stepsOf = (machine: Machine) => {
      const after = machine.step();
      return { trapped: after.lastException !== undefined, cs: after.registers.cs };
    };
    for (const { findings: all } of pentium2.forms) {
      for (const { trials } of all) {
        for (const { machine, outcome, mode } of trials) {
          expect(machine.cpl).toBe(mode === "user" ? 3 : 0);
          expect(stepsOf(machine).trapped).toBe(outcome.trap !== undefined);
        }
      }
    }
  });
});

describe("the forms", () => {
  it.each([
    ["pentium2", 32],
    ["max", 32],
    ["max", 64],
  ] as const)("of a %s in %i-bit code are decoded as the rows they were made from", (model, bits) => {
    for (const { mnemonic, opcode, encodings, text } of instructionForms(model, bits)) {
      for (const bytes of encodings) {
        const decoded = decode((at) => bytes[at] ?? 0x90, 0, bits);
        expect([text, decoded.row?.mnemonic, decoded.row?.opcode, decoded.length]).toEqual([
          text,
          mnemonic,
          opcode,
          bytes.length,
        ]);
      }
    }
  });
});

describe("a question that has no answer", () => {
  it.each([
    [{ model: "486" }, /^sensitivity: model "486" has no model-specific registers/],
    [{ bits: 64 }, /^sensitivity: model "pentium2" has no 64-bit mode$/],
    [{ umip: true }, /^sensitivity: model "pentium2" has no UMIP$/],
  ] as const)("is refused: %o", (options, message) => {
    expect(() => sensitivity(options)).toThrow(message);
  });
});
