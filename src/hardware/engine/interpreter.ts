/**
 * Generates the interpreter: one WebAssembly function that dispatches over decoded records with a br_table, with a
 * handler for every form. Three of them: `flat` is for 32-bit segments that all start at 0 and reach to 4 GiB; `long` for
 * 64-bit code; `segmented` for everything else: it checks every access and jump, and looks up how wide addresses and the
 * stack pointer are. Each has a second function beside it, with the forms of instructions that most programs do not use:
 * what is optimized together stays small.
 */
import { add, and, eq, i32, ne } from "../isa/code.js";
import { branchTarget, type CodeKind, type Frame, field16, follow, probe } from "./dispatch.js";
import { FIRST_FORM, type Form, type FormTable, HANDLER } from "./forms.js";
import { Handler } from "./handler.js";
import { innerBodies } from "./inner-functions.js";
import {
  EXIT,
  EXIT_LEFT,
  EXIT_RECORD,
  FLAG_CARRIES,
  FLAG_CARRY,
  FLAG_RESULT,
  FLAG_SIGN,
  LAST_BRANCH,
  MEMORY_SIZE,
  RECORD,
  RECORD_SIZE,
  TLB_BASE,
} from "./layout.js";
import { Replayer } from "./replay.js";
import { innerNames, innerType, NEXT_RECORD, slow, slowNames, slowTypes } from "./slow-paths.js";
import { call, encodeModule, FunctionBody, type FunctionType, type Label, type Local, load } from "./wasm.js";

/**
 * Writes `go(record, left)`: runs from a record whose block is already charged. Whatever the generated code cannot do by
 * itself it asks `leave` for, which says where to go on; that is cheaper than returning and being called again.
 */
function writeGo(interpreted: Interpreted, kind: CodeKind): FunctionBody {
  const { forms: table, replayException, has, isApart } = interpreted;
  const { forms, handlerCount } = table;
  const flat = kind === "flat";
  const body = new FunctionBody(["i32", "i32"]);
  const local = (): Local => body.local("i32");
  const frame: Frame = {
    body,
    ip: body.parameter(0, "i32"),
    left: body.parameter(1, "i32"),
    exit: local(),
    result: local(),
    sign: local(),
    carry: local(),
    carries: local(),
    tlb: local(),
    flat,
    long: kind === "long",
    dispatch: { level: 0 },
    refund: { level: 0 },
    out: { level: 0 },
  };
  const flagSlots: [Local, number][] = [
    [frame.result, FLAG_RESULT],
    [frame.sign, FLAG_SIGN],
    [frame.carry, FLAG_CARRY],
    [frame.carries, FLAG_CARRIES],
  ];
  const loadFlags = (): void => {
    for (const [flag, slot] of flagSlots) body.set(flag, load("i32", i32(slot)));
  };
  const saveFlags = (): void => {
    for (const [flag, slot] of flagSlots) body.store("i32", i32(0), flag, slot);
  };
  /** Goes on from `ip` with what TypeScript has left in memory, or returns if `ip` is 0. */
  let resume: Label = { level: 0 };
  const next = (): void => {
    body.set(frame.ip, add(frame.ip, i32(RECORD_SIZE)));
    body.br(frame.dispatch);
  };
  const leave = (code: number, label: Label): void => {
    body.set(frame.exit, i32(code));
    body.br(label);
  };
  const system = (): void => {
    saveFlags();
    body.store("i32", i32(0), frame.left, EXIT_LEFT);
    body.set(frame.exit, slow("system", frame.ip));
    body.if(eq(frame.exit, i32(NEXT_RECORD)), () => {
      loadFlags();
      next();
    });
    body.set(frame.ip, frame.exit);
    body.br(resume);
  };
  const replayed = (form: Form): void => {
    body.block((otherwise) => {
      const replayer = new Replayer(frame, form, otherwise, next);
      replayer.begin();
      form.row.replay!(replayer);
      replayer.finish();
    });
    system();
  };
  const special: Record<number, () => void> = {
    [HANDLER.miss]: () => probe(frame, branchTarget(frame, load("i32", i32(LAST_BRANCH))), true),
    [HANDLER.stop]: () => leave(EXIT.stop, frame.out),
    [HANDLER.system]: system,
    [HANDLER.goto]: () => follow(frame),
    [HANDLER.apart]: () => {
      if (isApart === undefined) {
        body.unreachable();
        return;
      }
      body.set(frame.exit, call(apartIndex(interpreted, kind), GO, [frame.ip, frame.tlb]));
      body.brIf(frame.refund, and(frame.exit, i32(APART_DONE - 1)));
      body.if(frame.exit, next);
      system();
    },
  };
  body.loop((again) => {
    loadFlags();
    body.set(frame.tlb, load("i32", i32(TLB_BASE)));
    body.block((resumed) => {
      resume = resumed;
      body.block((out) => {
        frame.out = out;
        body.block((refund) => {
          frame.refund = refund;
          body.loop((dispatch) => {
            frame.dispatch = dispatch;
            const labels: (Label | undefined)[] = [];
            const write = (number: number): void => {
              const form = forms[number - FIRST_FORM];
              if (form === undefined) {
                special[number]!();
                return;
              }
              if (has?.(form, kind) === false) {
                body.unreachable();
                return;
              }
              if (form.row.replay) {
                replayed(form);
                return;
              }
              const handler = new Handler(frame, form);
              handler.begin();
              if (form.repeat === "once") form.row.semantics!(handler);
              else form.row.repeated!(handler, form.repeat);
              handler.finish();
              next();
            };
            // Handler k stands behind the end of block k, inside of block k + 1.
            const here = (number: number): boolean => {
              const form = forms[number - FIRST_FORM];
              return form === undefined || isApart?.(form) !== true;
            };
            openHandlers(body, handlerCount, here, labels);
            body.brTable(
              field16(frame, RECORD.handler),
              labels.map((label) => label ?? labels[HANDLER.apart]!),
              labels[HANDLER.miss]!,
            );
            for (let number = 0; number < handlerCount; number++) {
              if (!here(number)) continue;
              body.close();
              write(number);
            }
          });
        });
        body.set(frame.left, add(frame.left, field16(frame, RECORD.left)));
        if (flat && replayException) {
          body.block((otherwise) => {
            body.brIf(otherwise, ne(frame.exit, i32(EXIT.fault)));
            body.block((delivered) => replayException({ ...frame, dispatch: delivered }, otherwise));
            saveFlags();
            body.store("i32", i32(0), frame.left, EXIT_LEFT);
            body.br(resumed);
          });
        }
      });
      saveFlags();
      body.store("i32", i32(0), frame.left, EXIT_LEFT);
      body.store("i32", i32(0), frame.ip, EXIT_RECORD);
      body.set(frame.ip, slow("leave", frame.exit));
    });
    body.set(frame.left, load("i32", i32(EXIT_LEFT)));
    body.brIf(again, frame.ip);
  });
  body.return(i32(0));
  body.unreachable();
  return body;
}

/** A block for each handler that stands in this function: handler k stands behind the end of block k. */
function openHandlers(
  body: FunctionBody,
  count: number,
  here: (number: number) => boolean,
  labels: (Label | undefined)[],
): void {
  for (let number = count - 1; number >= 0; number--) labels[number] = here(number) ? body.open() : undefined;
}

/** What the function beside an interpreter gives when its instruction is done; 0 leaves it to TypeScript, else it is an exit code. */
const APART_DONE = 0x100;

/** Writes the function beside an interpreter: `apart(record, tlb)` executes one instruction. */
function writeApart({ forms: { forms, handlerCount }, has, isApart }: Interpreted, kind: CodeKind): FunctionBody {
  const body = new FunctionBody(["i32", "i32"]);
  const nowhere: Label = { level: 0 };
  // Flags and counts are locals of the interpreter: no form that needs them stands here.
  const none = body.local("i32");
  const frame: Frame = {
    ...{ body, ip: body.parameter(0, "i32"), tlb: body.parameter(1, "i32"), exit: body.local("i32") },
    ...{ left: none, result: none, sign: none, carry: none, carries: none },
    ...{ flat: kind === "flat", long: kind === "long", dispatch: nowhere, refund: nowhere, out: nowhere },
  };
  const done = (): void => body.return(i32(APART_DONE));
  const write = (form: Form): void => {
    if (has?.(form, kind) === false) {
      body.unreachable();
      return;
    }
    if (form.row.replay === undefined) {
      const handler = new Handler(frame, form);
      handler.begin();
      form.row.semantics!(handler);
      handler.finish();
      done();
      return;
    }
    body.block((otherwise) => {
      const replayer = new Replayer(frame, form, otherwise, done);
      replayer.begin();
      form.row.replay!(replayer);
      replayer.finish();
    });
    body.return(i32(0));
  };
  body.block((refund) => {
    frame.refund = refund;
    const labels: (Label | undefined)[] = [];
    const formOf = (number: number): Form | undefined => forms[number - FIRST_FORM];
    const here = (number: number): boolean => {
      const form = formOf(number);
      return form !== undefined && isApart?.(form) === true;
    };
    const wrong = body.open();
    openHandlers(body, handlerCount, here, labels);
    body.brTable(
      field16(frame, RECORD.handler),
      labels.map((label) => label ?? wrong),
      wrong,
    );
    for (let number = 0; number < handlerCount; number++) {
      if (!here(number)) continue;
      body.close();
      write(formOf(number)!);
    }
    body.close();
    body.unreachable();
  });
  body.return(frame.exit);
  body.unreachable();
  return body;
}

/** What an interpreter is made from. */
export interface Interpreted {
  readonly forms: FormTable;
  /** The interpreters there are. */
  readonly kinds: readonly CodeKind[];
  /** Whether one of them comes across a form; each does, unless given. */
  readonly has?: (form: Form, kind: CodeKind) => boolean;
  /** Whether the code of a form stands in the second function. It sets no flags and jumps nowhere. */
  readonly isApart?: (form: Form) => boolean;
  /** Code that may deliver an exception by itself. */
  readonly replayException?: (frame: Frame, otherwise: Label) => void;
}

/** (record, left) -> 0 of an interpreter, (record, tlb) -> code of the function beside it. */
const GO: FunctionType = { parameters: ["i32", "i32"], results: ["i32"] };
/** Its index in the module: behind imports, inner functions and interpreters. */
const apartIndex = ({ kinds }: Interpreted, kind: CodeKind): number =>
  slowNames.length + innerNames.length + kinds.length + kinds.indexOf(kind);

/** An interpreter's module: exports a function (record, left) -> 0 of each kind by its name. */
export function generateInterpreter(interpreted: Interpreted): Uint8Array {
  const { kinds, isApart } = interpreted;
  return encodeModule({
    memoryPages: MEMORY_SIZE / 65536,
    imports: slowNames.map((name) => ({ name, type: slowTypes[name] })),
    functions: [
      ...innerNames.map((name) => ({ type: innerType(name), body: innerBodies[name]() })),
      ...kinds.map((name) => ({ name, type: GO, body: writeGo(interpreted, name) })),
      ...(isApart === undefined ? [] : kinds.map((name) => ({ type: GO, body: writeApart(interpreted, name) }))),
    ],
  });
}
