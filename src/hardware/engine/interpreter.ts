/**
 * Generates the interpreter: one WebAssembly function that dispatches over decoded records with a br_table, with a
 * handler for every form. Three of them: `flat` is for 32-bit segments that all start at 0 and reach to 4 GiB; `long` for
 * 64-bit code; `segmented` for everything else: it checks every access and jump, and looks up how wide addresses and the
 * stack pointer are.
 */
import { add, eq, i32, ne } from "../isa/code.js";
import { FIRST_FORM, type Form, type FormTable, HANDLER } from "./forms.js";
import { branchTarget, type CodeKind, type Frame, field16, follow, Handler, probe } from "./handler.js";
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
import { encodeModule, FunctionBody, type FunctionType, type Label, type Local, load } from "./wasm.js";

/**
 * Writes `go(record, left)`: runs from a record whose block is already charged. Whatever the generated code cannot do by
 * itself it asks `leave` for, which says where to go on; that is cheaper than returning and being called again.
 */
function writeGo({ forms: { forms, handlerCount }, replayException, has }: Interpreted, kind: CodeKind): FunctionBody {
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
            const labels: Label[] = [];
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
            for (let number = handlerCount - 1; number >= 0; number--) labels[number] = body.open();
            body.brTable(field16(frame, RECORD.handler), labels, labels[HANDLER.miss]!);
            for (let number = 0; number < handlerCount; number++) {
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

/** What an interpreter is made from. */
export interface Interpreted {
  readonly forms: FormTable;
  /** The interpreters there are. */
  readonly kinds: readonly CodeKind[];
  /** Whether one of them comes across a form; each does, unless given. */
  readonly has?: (form: Form, kind: CodeKind) => boolean;
  /** Code that may deliver an exception by itself. */
  readonly replayException?: (frame: Frame, otherwise: Label) => void;
}

/** An interpreter's module: exports a function (record, left) -> 0 of each kind by its name. */
export function generateInterpreter(interpreted: Interpreted): Uint8Array {
  const type: FunctionType = { parameters: ["i32", "i32"], results: ["i32"] };
  return encodeModule({
    memoryPages: MEMORY_SIZE / 65536,
    imports: slowNames.map((name) => ({ name, type: slowTypes[name] })),
    functions: [
      ...innerNames.map((name) => ({ type: innerType(name), body: innerBodies[name]() })),
      ...interpreted.kinds.map((name) => ({ name, type, body: writeGo(interpreted, name) })),
    ],
  });
}
