// The package's notebooks about hardware, each from a fresh kernel. What they claim they assert in their own cells; here it is
// looked at what a reader sees.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type NotebookCell, parseNotebook } from "../../src/notebook/document/notebook-document.js";
import { runNotebook } from "../../src/notebook/document/run-notebook.js";
import { builtState } from "../../src/systems/built-state.js";
import { provenanceOf } from "../../src/view/plot/provenance.js";
import { packageRoot } from "../support/virtlab.js";

const folder = join(packageRoot, "notebooks");

interface Output {
  readonly text?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Runs a notebook to its end; gives the text, and the other forms, of the output of each cell by the cell's id. */
async function run(name: string, { cellTimeout = 30_000 } = {}) {
  const notebook = parseNotebook(readFileSync(join(folder, name), "utf8"), name);
  expect(notebook.cells.filter(({ cell_type, outputs }) => cell_type === "code" && outputs?.length !== 0)).toEqual([]);
  const { failure, notebook: executed } = await runNotebook(notebook, { folder, cellTimeout });
  expect(failure).toBeUndefined();
  const outputs = ({ outputs: all = [] }: NotebookCell) => all as readonly Output[];
  const cell = (id: string) => executed.cells.find((one) => one.id === id)!;
  const text = (id: string) =>
    outputs(cell(id))
      .map((output) => output.text ?? String(output.data?.["text/plain"]))
      .join("\n");
  const forms = (id: string) => outputs(cell(id)).flatMap(({ data = {} }) => Object.keys(data));
  return {
    text,
    forms,
    /** A figure in all its forms, with titles of its axes, that says which machine it was made from. */
    expectFigure: (id: string, y: string, x: string) => {
      expect(forms(id)).toEqual(figureForms);
      expect(text(id)).toContain(`: ${y} by ${x}\n`);
      const stamp = provenanceOf(outputs(cell(id))[0]!.data!);
      expect(stamp?.states.length).toBeGreaterThan(0);
    },
    errors: executed.cells.flatMap((one) => outputs(one).filter((output) => "ename" in output)),
  };
}

const figureForms = ["application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"];
const diagramForms = ["image/svg+xml", "text/plain"];
const cells = (line: string) => line.split(/ {2,}/);

describe("10-rings", () => {
  it("shows what each ring may do, the switched stack, and the way up and down", async () => {
    const { text, forms, errors, expectFigure } = await run("10-rings.ipynb");
    expect(errors).toEqual([]);
    const rows = text("matrix").split("\n").map(cells);
    const outcome = (instruction: string) => rows.find(([name]) => name === instruction)!.slice(1);
    const gp = "#GP(0)";
    expect(rows[0]).toEqual(expect.arrayContaining(["ring 0", "ring 3", "real mode", "V86, IOPL 3"]));
    expect(outcome("hlt")).toEqual(["runs", gp, gp, gp, "runs", gp, gp]);
    expect(outcome("cli")).toEqual(["runs", gp, gp, gp, "runs", gp, "runs"]);
    expect(outcome("popf")).toEqual(["runs", "runs", "runs", "runs", "runs", gp, "runs"]);
    expect(outcome("ltr ax")).toEqual(["runs", gp, gp, gp, "#UD", "#UD", "#UD"]);
    expect(text("silent")).toMatch(/push dword 2; popf +IF afterwards +0 +1 +different +0/);
    expect(text("int")).toMatch(/esp +0x00080000 → 0x0008ffec\n/);
    expect(text("int")).toMatch(/new stack:\n.* eip\n.* cs\n.* eflags\n.* 0x00080000 {2}esp\n.* 0x00000023 {2}ss/);
    expect(text("callgate")).toMatch(/0x00001234 {2}parameter/);
    expect(text("sysenter")).toContain("memory is equal");
    expect(text("why")).toContain("CPL is 3, IOPL is 0");
    expect([...text("stairs-ways").matchAll(/: (\S+ \(\w+\))$/gm)].map(([, way]) => way)).toEqual(
      "INT (gate),IRET (return),CALL (gate),RETF (return),CALL (gate),INT (gate),IRET (return),RETF (return),#GP (fault)".split(
        ",",
      ),
    );
    expect(forms("stairs-ways")).toEqual(diagramForms);
    expectFigure("stairs-figure", "CPL (ring)", "time (steps)");
  });
});

describe("11-paging", () => {
  it("shows walks of all lengths, flags that are set, rights by page and ring, and pages in use", async () => {
    const { text, forms, errors, expectFigure } = await run("11-paging.ipynb");
    expect(errors).toEqual([]);
    expect(text("walk-value")).toMatch(
      /page directory index 0x1, page table index 0x0, offset 0x123[\s\S]*→ physical 0x00300123$/,
    );
    expect(text("on")).toMatch(/page table: entry at 0x00202000 is 0x00300007, writable, user[\s\S]*\nstate /);
    expect(forms("on")).toEqual(diagramForms);
    expect(text("notes-diff")).toMatch(/0x00200004 +07 → 27\n +0x00202000 +07 → 27$/);
    const rights = text("rights").split("\n").map(cells);
    expect(rights[2]).toEqual(["user, read-only", "yes", "#PF(7)", "yes", "yes", "yes", "#PF(3)"]);
    expect(rights[5]).toEqual(["not present", "#PF(4)", "#PF(6)", "#PF(0)", "#PF(2)", "#PF(0)", "#PF(2)"]);
    expect(text("remap")).toMatch(/^.*1 changed\n.*\n± +linear 0x400000 +this is frame 300 → and this is 301\n/);
    expect(text("why")).toContain("the page table entry at physical 0x00202004 (0x00301005) is read-only");
    const lengths = text("lengths")
      .split("\n")
      .slice(1)
      .map((line) => cells(line)[4]);
    expect(lengths).toEqual(["10 + 10 + 12", "10 + 22", "2 + 9 + 9 + 12", "2 + 9 + 21"]);
    expectFigure("working-figure", "page (number)", "time (steps)");
  });
});

describe("12-interrupts", () => {
  it("shows the way of an interrupt, priorities, the shadow of STI, NMI, and which pairs are double faults", async () => {
    const { text, errors, expectFigure } = await run("12-interrupts.ipynb");
    expect(errors).toEqual([]);
    const chain = text("chain").split("\n").slice(1).map(cells);
    expect(chain.map(([step]) => step)).toEqual([
      "(IF is set)",
      "(delivery)",
      "push eax",
      "inc dword [0x5000]",
      "mov al, 0x20",
      "out 0x20, al",
      "pop eax",
      "iret",
    ]);
    expect([chain[0], chain[1], chain[5], chain[7]].map((row) => row!.slice(1).join(""))).toEqual([
      "101",
      "010",
      "000",
      "001",
    ]);
    expect(text("both-order")).toBe("[ '20', '24' ]");
    expect(text("nesting")).toContain("IRQ 0 and IRQ 4");
    expect(
      text("shadow")
        .split("\n")
        .slice(1)
        .map((line) => cells(line)[0]),
    ).toEqual(["sti", "nop", "(delivery)"]);
    expect(text("double").split("\n").slice(1).map(cells)).toEqual([
      ["#UD", "#UD → #NP", "#UD → #GP", "#UD → #PF"],
      ["#DE", "#DE → #NP → #DF", "#DE → #GP → #DF", "#DE → #PF"],
      ["#GP", "#GP → #NP → #DF", "#GP → #GP → #DF", "#GP → #PF"],
      ["#PF", "#PF → #NP → #DF", "#PF → #GP → #DF", "#PF → #PF → #DF"],
    ]);
    expect(text("triple")).toContain("the processor shuts down (triple fault)");
    expectFigure("figure", "line or flag", "time (ticks)");
    expectFigure("latency", "latency (ticks)", "interrupt (number)");
  });
});

function hasState(name: string): boolean {
  try {
    builtState(name);
    return true;
  } catch {
    return false;
  }
}

describe("13-boot", () => {
  it("boots Debian, or a kernel of ours where it is not there, forks it, compares the forks and steps back", async () => {
    const { text, errors, expectFigure } = await run("13-boot.ipynb");
    expect(errors).toEqual([]);
    const isDebian = hasState("debian-shell");
    expect(text("get")).toContain(
      isDebian ? "virtlab: ready" : "virtlab state make debian-shell --download\necho: ready",
    );
    expect(text("start")).toMatch(/^machine at step 0, .*CPL 0/);
    expect(text("info")).toMatch(isDebian ? /command line +nolapic/ : /memory above, KiB +15232/);
    expect(text("boot")).toMatch(/^boot: [\d,]+ steps\n/);
    expectFigure("instructions", "share (%)", "boot (steps)");
    expectFigure("events", "deliveries (number)", "boot (steps)");
    expectFigure("memory", "memory (MiB)", "boot (steps)");
    expect(text("forks")).toMatch(isDebian ? /model name\s+: Pentium III/ : /UNAME -A\n\nPS\n/);
    expect(text("futures")).toMatch(/^difference: 1 field, \d+ bytes of memory in \d+ runs\n[\s\S]* 31 → 32/);
    expect(text("back")).toMatch(/=> \w+ +ee +out dx, al\n/);
    expect(text("back-step")).toMatch(/eip \w+→\w+\n/);
  }, 180_000);
});

/** Whole kernels run in a cell. */
const ofKernels = { cellTimeout: 120_000 };

describe("20-five-ways", () => {
  it("shows one kernel under every technique: the same end, other ledgers, one instruction, and a relay between hosts", async () => {
    const { text, errors, expectFigure } = await run("20-five-ways.ipynb", ofKernels);
    expect(errors).toEqual([]);
    const rows = (id: string) => text(id).split("\n").slice(1).map(cells);
    expect(text("guest")).toMatch(/^kernel\.elf [0-9a-f]{16}…, \d+ bytes\nkernel: started\n/);
    expect(rows("run").map(([way, console, differences]) => [way, console, differences])).toEqual(
      [
        ...["simulation", "trap-and-emulate", "binary translation"],
        ...["VT-x, shadow tables", "VT-x, EPT", "AMD-V, nested paging"],
      ].map((way) => [way, "the same", "0"]),
    );
    expect(rows("pv").map(([build, end]) => [build, end])).toEqual([
      ["kernel.elf, bare", "debug-exit"],
      ["kernel.elf", "unsupported"],
      ["kernel-xen.elf", "debug-exit"],
    ]);
    expect(text("ledger")).toContain("I/O instruction            30      INS          emulated");
    expectFigure("kinds", "exits (number)", "way");
    expectFigure("slowdown", "slowdown (times)", "way");
    expect(rows("one-table").map(([way, believed, real, mode]) => [way, believed, real, mode])).toEqual([
      ["simulation", "0", "0", "no"],
      ["trap-and-emulate", "0", "1", "no"],
      ["binary translation", "0", "1", "no"],
      ["VT-x, shadow tables", "0", "0", "yes"],
      ["VT-x, EPT", "0", "0", "yes"],
      ["AMD-V, nested paging", "0", "0", "yes"],
    ]);
    expect(rows("fork").map((row) => row.at(-1))).toEqual(['""', '"k"', '""']);
    expect(rows("relay")).toHaveLength(5);
  }, 300_000);
});

describe("21-popek-goldberg", () => {
  it("shows two wrong answers, the classes, the theorems evaluated, and what UMIP takes off the list", async () => {
    const { text, errors, expectFigure } = await run("21-popek-goldberg.ipynb");
    expect(errors).toEqual([]);
    const rows = (id: string) => text(id).split("\n").slice(1).map(cells);
    expect(rows("popf")).toEqual([
      ["0", "1", "0", "0"],
      ["3", "1", "1", "0"],
    ]);
    expect(rows("smsw").map(([machine, cr0, eax]) => [machine, cr0 === eax])).toEqual(
      ["supervisor 0", "user 0", "supervisor 1", "user 1"].map((machine) => [machine, true]),
    );
    expect(rows("counts").map(([one, count]) => [one, count])).toEqual([
      ["privileged", "19"],
      ["control-sensitive", "17"],
      ["behaviour-sensitive", "14"],
      ["innocuous", "267"],
    ]);
    expect(rows("evidence").map(([instruction]) => instruction)).toEqual([
      "hlt",
      "popf",
      "str eax",
      "lar ecx, ax",
      "mov ds, ax",
    ]);
    expect(text("evidence")).toContain("#GP (cpl-not-0)");
    expect(text("theorem1")).toContain("31 instructions are sensitive and not privileged");
    expect(rows("list").map((row) => row.slice(1))).toEqual([["18", "17"], ["0"], ["13", "6"]]);
    expect(text("theorem3")).toContain("[ 'POPF' ]");
    expect(text("umip-on")).toBe("[ 'SGDT', 'SIDT', 'SLDT', 'SMSW', 'STR' ]");
    expectFigure("figure", "instructions (number)", "class");
    expect(text("toy")).toBe("[ '', 'A', undefined ]");
  }, 180_000);
});

describe("22-vmx", () => {
  it("shows how each instruction ends, the states of a VMCS, and what entries and exits move under both makers", async () => {
    const { text, forms, errors, expectFigure } = await run("22-vmx.ipynb");
    expect(errors).toEqual([]);
    const ten = text("ten").split("\n").slice(1).map(cells);
    expect(ten).toHaveLength(10);
    expect(ten.find(([name]) => name === "VMREAD")).toEqual(["VMREAD", "#UD", "VMfailInvalid", "success", "#GP(0)"]);
    const numbers = [...text("errors-run").matchAll(/VMfailValid\((\d+)\)$/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 26, 28]);
    expect(text("states")).toMatch(/vmlaunch +current, launched, its guest runs +not current, clear/);
    expect(forms("states-figure")).toEqual(diagramForms);
    expect(text("entry-changed")).toMatch(/loaded +Guest RSP +rsp +0x90000 +0x70000\n/);
    expect(text("exit")).toMatch(/written +Exit reason +0x0 +0xa\n[\s\S]*loaded +Host RSP +rsp +0x70000 +0x90000\n/);
    expect(text("fails")).toMatch(/^This does not hold: Reserved bits of RFLAGS are 0, and bit 1 is 1\./);
    expect(text("svm-exit")).toMatch(/written +EXITCODE +0x0 +0x72\n/);
    expectFigure("exits", "exit reason (number)", "time (ticks)");
    expectFigure("both", "values (number)", "transition");
    const rings = text("rings-table").split("\n").slice(1).map(cells);
    expect(rings.filter(([instruction]) => instruction === "mov rax, cr3").map((row) => row.slice(2))).toEqual(
      Array(2).fill(["success", "#GP(0)", "#GP(0)", "#GP(0)"]),
    );
    expect(text("later")).toMatch(/core2 +#UD +#UD +no\n/);
  }, 120_000);
});

describe("23-shadow-and-ept", () => {
  it("shows 24 references for four levels by four, other shapes by the formula, flags, violations and misconfigurations", async () => {
    const { text, forms, errors, expectFigure } = await run("23-shadow-and-ept.ipynb");
    expect(errors).toEqual([]);
    expect(forms("walk")).toEqual(diagramForms);
    expect(text("walk")).toContain("the address itself 0x00005000: 21 PML4, 22 PDPT, 23 directory, 24 table");
    const shapes = text("nested-shapes").split("\n").slice(1).map(cells);
    expect(shapes.map(([, , , , formula]) => Number(formula))).toEqual([4, 3, 2, 14, 11, 8, 19, 15, 11, 24, 19, 14]);
    expect(shapes.every(([, , , , formula, counted]) => formula === counted)).toBe(true);
    const rights = text("rights").split("\n").map(cells);
    expect(rights.find(([name]) => name === "x")).toEqual(["x", "EPT violation", "EPT violation", "yes"]);
    expect(rights.find(([name]) => name === "w")!.slice(1)).toEqual(Array(3).fill("EPT misconfiguration"));
    expect(text("violation-walk")).toContain("guest-physical 0x00009000 is refused by the nested tables");
    expectFigure("shapes-figure", "references (number)", "paging of the guest");
    const steps = text("shadow-steps").split("\n").slice(1).map(cells);
    const happened = (instruction: string) => steps.filter(([one]) => one === instruction).map(([, what]) => what);
    expect(happened("mov [0x300000], ebx")).toEqual(["hidden page fault", "executed"]);
    expect(happened("mov dword [0x201c04], 0")).toEqual(["traced store"]);
    expect(happened("mov ebx, [0x301000]")).toContain("#PF injected");
    expect(text("shadow-tables")).toMatch(/page table of the guest's, guest-physical 00201000/);
    expect(text("shadow-tables")).toMatch(/513 {2}00201063 writable, accessed, dirty {2}→ {2}\w{8} accessed, dirty\n/);
    expectFigure("both-figure", "references (number)", "guest");
  }, 120_000);
});

describe("24-binary-translation", () => {
  it("shows a block beside its translation, how blocks are chained, and where instructions are fetched", async () => {
    const { text, errors, expectFigure } = await run("24-binary-translation.ipynb", ofKernels);
    expect(errors).toEqual([]);
    expect(text("wrong-table")).toMatch(/\nPUSHF: IF +00000000 +00000200 +00000000\n/);
    expect(text("course")).toMatch(/^Block at 0010001c: 8 instructions, 22 bytes in, \d+ out, 2 of 2 links chained\n/);
    expect(text("course")).toMatch(/inc ebx += {2}\w{8} {2}inc ebx\n/);
    expect(text("course")).toMatch(/je 0x100036 +→ {2}\w{8} {2}je 0x\w+ {2}; translation of 00100036\n/);
    expect(text("around")).toMatch(/out 0xe9, al +→ {2}\w{8} {2}int 0xf1 {2}; calls the hypervisor\n/);
    expect(text("patched")).toMatch(/: 2 changed\n[\s\S]*± {2}\w{8} {2}je 0x\w+ → je 0x\w+\n/);
    expect(text("cache")).toMatch(/^Translation cache: 5 blocks; /);
    const fetched = text("fetched").split("\n").slice(1).map(cells);
    expect(fetched.map(([who, where]) => `${who}: ${where}`).sort()).toEqual([
      "guest's kernel, ring 1: the hypervisor's memory",
      "hypervisor, ring 0: the hypervisor's memory",
      "program, ring 3: the guest's own page",
    ]);
    expectFigure("warm", "so far (number)", "guest's time (steps)");
    expect(text("experiment")).toBe("{ flushes: 1, 'EBX at the end': 110 }");
  }, 300_000);
});

describe("25-paravirtualization", () => {
  it("shows the lines that differ, hypercalls with their results, an event, and what batches save", async () => {
    const { text, errors, expectFigure } = await run("25-paravirtualization.ipynb", ofKernels);
    expect(errors).toEqual([]);
    const rows = (id: string) => text(id).split("\n").slice(1).map(cells);
    expect(rows("lines").map(([, lines]) => lines)).toEqual(["713", "205", "277"]);
    expect(text("unchanged")).toContain("LGDT in ring 1");
    expect(rows("asked").map(([hypercall, before, after]) => [hypercall, before, after])).toEqual([
      ["console_io", "18", "6"],
      ["(none)", "99", "-38"],
      ["mmu_update", "1", "-1"],
      ["update_va_mapping", "14", "-22"],
    ]);
    expect(rows("undo").map((row) => row.at(-1))).toEqual(["by its page fault", "switched itself off"]);
    expect(text("event-steps")).toMatch(/int 0x82 +0, 1 +0\n[\d,]+ +push eax +1, 1 +4\n/);
    expectFigure("batches", "exits (number)", "batch (changes in a call)");
    expect(
      rows("claim-table")
        .slice(1)
        .map(([subject]) => subject),
    ).toEqual(["system calls", "page tables", "devices"]);
    expectFigure("claim-figure", "exits (number)", "subject");
  }, 300_000);
});

describe("26-isolation", () => {
  it("shows a host that is overwritten and hosts that are not, a hole in EPT, attacks, shares, and red pills", async () => {
    const { text, errors, expectFigure } = await run("26-isolation.ipynb", ofKernels);
    expect(errors).toEqual([]);
    const rows = (id: string) => text(id).split("\n").slice(1).map(cells);
    expect(rows("ring").map(([, table]) => table)).toEqual(["there", "zeros"]);
    expect(rows("guests").map(([, end, , isSame]) => [end, isSame])).toEqual(Array(6).fill(["triple-fault", "yes"]));
    expect(rows("hole-run").map((row) => row.slice(1))).toEqual([
      ["nothing", "there", "as ever"],
      ["0x100000", "zeros", "triple-fault"],
    ]);
    expect(rows("attacks").map((row) => row.slice(1))).toEqual(Array(4).fill(Array(4).fill("held")));
    expectFigure("share", "share (%)", "set by the operator");
    expectFigure("schedule", "VM", "host time (ticks)");
    expectFigure("pills", "answers (number)", "technique");
  }, 300_000);
});

describe("20b-life-of-a-vm", () => {
  it("shows what a guest is granted, where an installer writes, and each station from its making to its end", async () => {
    const { text, forms, errors, expectFigure } = await run("20b-life-of-a-vm.ipynb", ofKernels);
    expect(errors).toEqual([]);
    const rows = (id: string) => text(id).split("\n").slice(1).map(cells);
    expect(text("census")).toMatch(/\nPCI +00:01\.1 +8086:7010; PIIX3 IDE; /);
    expect(text("census")).toMatch(/\nmemory +00100000-00ffffff +E820 available\n/);
    expect(text("install")).toContain("installer: the boot sector is written\n");
    expect(forms("install").slice(-2)).toEqual(diagramForms);
    expect(text("install")).toMatch(/sector 0: boot sector, written as number \d+\n/);
    expect(rows("boot").map(([station, vms]) => `${station} ${vms}`)).toEqual([
      "empty 0",
      "created 1",
      "installed 1",
      "booted 1",
      "off 1",
      "done 1",
      "gone 0",
    ]);
    expectFigure("two", "VM", "host time (ticks)");
  }, 300_000);
});
