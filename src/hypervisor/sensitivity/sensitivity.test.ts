/** Classes of instructions, against the list that Robin and Irvine made by reading the manual. */
import { describe, expect, it } from "vitest";
import { decode } from "../../hardware/isa/decoder.js";
import type { Machine } from "../../hardware/machine.js";
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

  it("are user-sensitive but for POPF, which in ring 3 never touches IF", () => {
    const { theorem1, theorem3 } = pentium2;
    expect(theorem3.holds).toBe(false);
    expect(theorem1.violations.filter((name) => !theorem3.violations.includes(name))).toEqual(["POPF"]);
    const byUser = formOf(pentium2, "popf").trials.flatMap((list) => list.filter(({ mode }) => mode === "user"));
    expect(byUser.every(({ outcome }) => outcome.trap === undefined && outcome.monitor.length === 0)).toBe(true);
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

describe("PUSH", () => {
  it("is sensitive with a segment register, and with nothing else", () => {
    const pushes = pentium2.forms.filter(({ mnemonic }) => mnemonic === "PUSH");
    for (const form of pushes)
      expect([form.text, form.class === "innocuous"]).toEqual([form.text, !/ [cdefgs]s$/.test(form.text)]);
  });
});

describe("what is shown of an instruction", () => {
  const findings = (text: string) => formOf(pentium2, text).findings;

  it("of POPF is that IF changes for the supervisor, and nobody is told for the user", () => {
    const [only, ...others] = findings("popf");
    expect(others).toEqual([]);
    expect(only).toMatchObject({ property: "changes resources", trials: [{ mode: "supervisor" }] });
    expect(only!.differs).toEqual(["cpu.eflags"]);
  });

  it("of SMSW is another word of CR0 in another location", () => {
    const finding = findings("smsw eax").find(({ trials }) => trials[0]!.mode === "user")!;
    expect(finding.property).toBe("depends on location");
    const [a, b] = finding.trials;
    expect(finding.differs).toEqual(["cpu.eax"]);
    expect([a, b].map((trial) => trial!.machine.step().registers.eax)).toEqual(
      [a, b].map((trial) => trial!.machine.cpu.system.cr0 >>> 0),
    );
  });

  it("is what the machine does: every finding comes out again, step by step", () => {
    for (const { machine, outcome, mode } of pentium2.forms.flatMap(({ findings: all }) =>
      all.flatMap((one) => one.trials),
    )) {
      expect(machine.cpl).toBe(mode === "user" ? 3 : 0);
      expect(machine.step().lastException !== undefined).toBe(outcome.trap !== undefined);
    }
  });

  it("is nothing of an innocuous one: a step leads to the same registers, or to the same exception, in all machines", () => {
    // Everything in `registers` but selectors and control registers, which are the monitor's as IF is.
    const own = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip"] as const;
    const seenByGuest = (machine: Machine) => {
      const { registers, lastException } = machine.step();
      if (lastException !== undefined) return lastException.chain[0]!.vector;
      return [...own.map((name) => registers[name]), registers.eflags & ~0x200];
    };
    for (const { trials, text } of pentium2.forms.filter((form) => form.class === "innocuous")) {
      const [first, ...others] = trials[0]!.map(({ machine }) => seenByGuest(machine));
      for (const other of others) expect([text, other]).toEqual([text, first]);
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
