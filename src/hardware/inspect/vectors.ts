/**
 * What each exception vector means, whoever raised it: the last word on an exception of which nothing more is known.
 * Spec: SDM Vol. 3A, "Exception and Interrupt Vectors", "Exception and Interrupt Reference".
 */
import { VirtlabError } from "../../state/error.js";

/** Fault: the instruction can be restarted. Trap: it is done. Abort: neither can be told. */
export type VectorClass = "fault" | "trap" | "fault or trap" | "abort" | "interrupt" | "reserved";

export interface VectorMeaning {
  readonly vector: number;
  /** "#GP"; "NMI" and reserved vectors have a name without the sign. */
  readonly name: string;
  readonly title: string;
  readonly class: VectorClass;
  /** Whether an error code is pushed. */
  readonly errorCode: boolean;
  /** What raises it, as a sentence. */
  readonly meaning: string;
  /** Section of the manual, by its title. */
  readonly spec: string;
}

type VectorRow = readonly [
  name: string,
  title: string,
  kind: VectorClass,
  errorCode: boolean,
  meaning: string,
  section: string,
];

const known: Readonly<Record<number, VectorRow>> = {
  0: [
    "#DE",
    "Divide Error",
    "fault",
    false,
    "A division by zero, or a quotient that does not fit into its register.",
    "Interrupt 0—Divide Error Exception (#DE)",
  ],
  1: [
    "#DB",
    "Debug",
    "fault or trap",
    false,
    "A breakpoint of the debug registers, a single step with TF, or a task switch with the T flag.",
    "Interrupt 1—Debug Exception (#DB)",
  ],
  2: ["NMI", "Nonmaskable Interrupt", "interrupt", false, "The NMI pin was pulsed.", "Interrupt 2—NMI Interrupt"],
  3: ["#BP", "Breakpoint", "trap", false, "INT3 was executed.", "Interrupt 3—Breakpoint Exception (#BP)"],
  4: ["#OF", "Overflow", "trap", false, "INTO was executed with OF set.", "Interrupt 4—Overflow Exception (#OF)"],
  5: [
    "#BR",
    "BOUND Range Exceeded",
    "fault",
    false,
    "BOUND found its index outside of the limits.",
    "Interrupt 5—BOUND Range Exceeded Exception (#BR)",
  ],
  6: [
    "#UD",
    "Invalid Opcode",
    "fault",
    false,
    "The bytes are no instruction of this processor, in this mode, with these operands and prefixes.",
    "Interrupt 6—Invalid Opcode Exception (#UD)",
  ],
  7: [
    "#NM",
    "Device Not Available",
    "fault",
    false,
    "An x87 instruction while CR0.EM or CR0.TS is set, or WAIT while CR0.MP and CR0.TS are.",
    "Interrupt 7—Device Not Available Exception (#NM)",
  ],
  8: [
    "#DF",
    "Double Fault",
    "abort",
    true,
    "A second exception while the first was being delivered, of two that cannot be handled one after the other.",
    "Interrupt 8—Double Fault Exception (#DF)",
  ],
  9: [
    "CSO",
    "Coprocessor Segment Overrun",
    "abort",
    false,
    "An x87 operand went beyond its segment; the 486 and later raise #GP.",
    "Interrupt 9—Coprocessor Segment Overrun",
  ],
  10: [
    "#TS",
    "Invalid TSS",
    "fault",
    true,
    "A task-state segment, or a selector taken from one, cannot be used.",
    "Interrupt 10—Invalid TSS Exception (#TS)",
  ],
  11: [
    "#NP",
    "Segment Not Present",
    "fault",
    true,
    "A segment or gate whose present flag is clear was to be used.",
    "Interrupt 11—Segment Not Present (#NP)",
  ],
  12: [
    "#SS",
    "Stack Fault",
    "fault",
    true,
    "An access to the stack beyond its limit, or a stack segment that is not present.",
    "Interrupt 12—Stack Fault Exception (#SS)",
  ],
  13: [
    "#GP",
    "General Protection",
    "fault",
    true,
    "A protection check failed that has no exception of its own.",
    "Interrupt 13—General Protection Exception (#GP)",
  ],
  14: [
    "#PF",
    "Page Fault",
    "fault",
    true,
    "A linear address is not mapped, or its page does not allow the access.",
    "Interrupt 14—Page-Fault Exception (#PF)",
  ],
  16: [
    "#MF",
    "x87 Floating-Point Error",
    "fault",
    false,
    "An x87 instruction left an unmasked exception behind, and CR0.NE is set.",
    "Interrupt 16—x87 FPU Floating-Point Error (#MF)",
  ],
  17: [
    "#AC",
    "Alignment Check",
    "fault",
    true,
    "An access of ring 3 is not aligned, and CR0.AM and EFLAGS.AC are set.",
    "Interrupt 17—Alignment Check Exception (#AC)",
  ],
  18: [
    "#MC",
    "Machine Check",
    "abort",
    false,
    "The hardware reports an error of its own.",
    "Interrupt 18—Machine-Check Exception (#MC)",
  ],
  19: [
    "#XM",
    "SIMD Floating-Point",
    "fault",
    false,
    "An SSE instruction met an unmasked floating-point exception.",
    "Interrupt 19—SIMD Floating-Point Exception (#XM)",
  ],
};

const meaningOf = (vector: number): VectorMeaning => {
  const row = known[vector];
  if (row === undefined) {
    return {
      vector,
      name: `vector ${vector}`,
      title: vector < 32 ? "Reserved" : "User Defined",
      class: vector < 32 ? "reserved" : "interrupt",
      errorCode: false,
      meaning: vector < 32 ? "Reserved by Intel." : "An interrupt of a device, or of INT n.",
      spec: `SDM Vol. 3A, "${vector < 32 ? "Exception and Interrupt Vectors" : "Interrupts 32 to 255—User Defined Interrupts"}"`,
    };
  }
  const [name, title, kind, errorCode, meaning, section] = row;
  return { vector, name, title, class: kind, errorCode, meaning, spec: `SDM Vol. 3A, "${section}"` };
};

/** Vectors 0 to 255. */
const meanings: readonly VectorMeaning[] = Object.freeze(
  Array.from({ length: 256 }, (_, vector) => Object.freeze(meaningOf(vector))),
);

/** Vectors 0 to 31: those of exceptions, and those Intel keeps. */
export const vectors: readonly VectorMeaning[] = Object.freeze(meanings.slice(0, 32));

/**
 * What a vector (0 to 255) means.
 *
 * @throws VirtlabError for a number that is no vector.
 */
export function vectorMeaning(vector: number): VectorMeaning {
  const meaning = meanings[vector];
  if (meaning === undefined) throw new VirtlabError(`vector ${vector}: not one of 0 to 255`);
  return meaning;
}
