/** All instruction rows. A new instruction is a definition in one of these files; nothing else lists them. */
import type { Row } from "../instruction.js";
import { arithmeticRows } from "./arithmetic.js";
import { compareExchangeRows } from "./compare-exchange.js";
import { controlTransferRows } from "./control-transfer.js";
import { dataTransferRows } from "./data-transfer.js";
import { fastSystemCallRows } from "./fast-system-call.js";
import { flagControlRows } from "./flag-control.js";
import { inputOutputRows } from "./input-output.js";
import { interruptRows } from "./interrupt.js";
import { logicRows } from "./logic.js";
import { packedIntegerRows } from "./packed-integer.js";
import { randomRows } from "./random.js";
import { segmentRows } from "./segment.js";
import { sseArithmeticRows } from "./sse-arithmetic.js";
import { sseCompareRows } from "./sse-compare.js";
import { sseConvertRows } from "./sse-convert.js";
import { sseRoundRows } from "./sse-round.js";
import { sseStringRows } from "./sse-string.js";
import { stringRows } from "./string.js";
import { svmRows } from "./svm.js";
import { systemRows } from "./system.js";
import { systemRegisterMoveRows } from "./system-register-moves.js";
import { vectorElementRows } from "./vector-element.js";
import { vectorMoveRows } from "./vector-move.js";
import { vectorOtherRows } from "./vector-other.js";
import { vectorShiftRows } from "./vector-shift.js";
import { vectorShuffleRows } from "./vector-shuffle.js";
import { vmxRows } from "./vmx.js";
import { x87ArithmeticRows } from "./x87-arithmetic.js";
import { x87CompareRows } from "./x87-compare.js";
import { x87ControlRows } from "./x87-control.js";
import { x87StackRows } from "./x87-stack.js";
import { x87TranscendentalRows } from "./x87-transcendental.js";
import { x87TransferRows } from "./x87-transfer.js";

export const rows: readonly Row[] = Object.freeze([
  ...dataTransferRows,
  ...compareExchangeRows,
  ...arithmeticRows,
  ...logicRows,
  ...controlTransferRows,
  ...stringRows,
  ...flagControlRows,
  ...inputOutputRows,
  ...interruptRows,
  ...segmentRows,
  ...systemRows,
  ...systemRegisterMoveRows,
  ...fastSystemCallRows,
  ...svmRows,
  ...randomRows,
  ...vmxRows,
  ...vectorMoveRows,
  ...vectorShuffleRows,
  ...vectorShiftRows,
  ...vectorElementRows,
  ...packedIntegerRows,
  ...vectorOtherRows,
  ...sseArithmeticRows,
  ...sseCompareRows,
  ...sseConvertRows,
  ...sseRoundRows,
  ...sseStringRows,
  ...x87ControlRows,
  ...x87TransferRows,
  ...x87StackRows,
  ...x87ArithmeticRows,
  ...x87CompareRows,
  ...x87TranscendentalRows,
]);
