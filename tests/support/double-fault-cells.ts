/**
 * An exception met while another one is delivered: which pairs are a double fault, and which are handled one after the
 * other. Spec: SDM Vol. 3A, "Interrupt 8—Double Fault Exception (#DF)", table of conditions.
 */
import type { ExceptionCell } from "./exception-cells.js";
import { PAGES, paging, user } from "./exception-cells.js";

interface First {
  readonly vector: number;
  readonly class: "benign" | "contributory" | "page fault";
  readonly code: string;
  readonly prepare?: string;
}
const firsts: Readonly<Record<string, First>> = {
  "#UD": { vector: 6, class: "benign", code: ".at: ud2" },
  "#BR": { vector: 5, class: "benign", code: "mov dword [data + 36], 4\nmov eax, 5\n.at: bound eax, [data + 32]" },
  "#DE": { vector: 0, class: "contributory", code: "xor ecx, ecx\n.at: div ecx" },
  "#TS": { vector: 10, class: "contributory", code: "pushfd\nor dword [esp], 0x4000\npopfd\n.at: iretd" },
  "#NP": { vector: 11, class: "contributory", code: "mov ax, absent_data | 3\n.at: mov es, ax" },
  "#SS": { vector: 12, class: "contributory", code: "mov ax, spare2 | 3\n.at: mov ss, ax" },
  "#GP": { vector: 13, class: "contributory", code: ".at: hlt" },
  "#PF": { vector: 14, class: "page fault", code: `.at: mov eax, [0x${PAGES.toString(16)}]` },
};

interface Second {
  /** What makes the gate of `vector` fault: all but the first send it to ring 1, whose stack is bad. */
  readonly prepare: (vector: number) => string;
  /** Error code when it is delivered in place of the first, with EXT. */
  readonly code: (vector: number) => number;
  readonly cr2?: number;
}
const toRing1 = (vector: number): string => `mov word [idt + ${8 * vector + 2}], code1`;
const ABSENT_STACK1 = "mov dword [gdt + spare], 0xffff\nmov dword [gdt + spare + 4], 0xcf3300";
const seconds: Readonly<Record<string, Second>> = {
  "#TS": { prepare: (vector) => `${toRing1(vector)}\nmov word [tss + 0x10], data3 | 3`, code: () => 0x41 },
  "#NP": { prepare: (vector) => `and byte [idt + ${8 * vector + 5}], 0x7f`, code: (vector) => 8 * vector + 3 },
  "#SS": {
    prepare: (vector) => `${toRing1(vector)}\n${ABSENT_STACK1}\nmov word [tss + 0x10], spare | 1`,
    code: () => 0xb1,
  },
  "#GP": { prepare: (vector) => `mov byte [idt + ${8 * vector + 5}], 0x8c`, code: (vector) => 8 * vector + 3 },
  "#PF": { prepare: (vector) => `${toRing1(vector)}\nmov dword [tss + 0xc], 0x800800`, code: () => 2, cr2: 0x8007fc },
};
const SPARE2 = "mov dword [gdt + spare2], 0xffff\nmov dword [gdt + spare2 + 4], 0xcf7300";

const isDouble = (first: First["class"], second: string): boolean =>
  first !== "benign" && (first === "page fault" || second !== "#PF");

export const doubleFaultCells: readonly ExceptionCell[] = Object.entries(firsts).flatMap(([name, first]) =>
  Object.entries(seconds)
    // The handler of what comes second is to be reached.
    .filter(([second]) => second !== name || isDouble(first.class, second))
    .map(([second, { prepare, code, cr2 }]): ExceptionCell => {
      const double = isDouble(first.class, second);
      const outcome = double ? "#DF(0)" : `${second}(0x${code(first.vector).toString(16)})`;
      return {
        name: `${second} while ${name} is delivered is ${double ? "#DF(0)" : outcome}`,
        mode: user,
        code: first.code,
        prepare: `${SPARE2}\n${paging}\n${prepare(first.vector)}`,
        expected: [[outcome, cr2 === undefined ? {} : { cr2 }]],
      };
    }),
);
