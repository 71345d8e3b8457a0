/**
 * Floating point in integers: numbers are bit patterns as bigints, unsigned, of one of three formats. An operation
 * reports exceptions in the environment it is given, which is one instruction's; where `isStopped` says that an unmasked
 * one kept it from being done, what it gave means nothing.
 */
export {
  add,
  divide,
  multiply,
  squareRoot,
  subtract,
} from "./arithmetic.js";
export { compare, maximum, minimum, ORDER, type Order } from "./compare.js";
export { convert, fromDecimal, fromInteger, narrow, roundToIntegral, toDecimal, toInteger, widen } from "./convert.js";
export {
  BEFORE_COMPUTATION,
  type Environment,
  EXCEPTION,
  isStopped,
  ROUNDING,
  type Rounding,
  sseEnvironment,
  unmasked,
  x87Environment,
} from "./environment.js";
export { DOUBLE, EXTENDED, type Format, type Kind, SINGLE, type Unpacked, unpack } from "./format.js";
export { roundConstant } from "./round.js";
export { type Extracted, extract, type Remainder, remainder, scale } from "./scale.js";
export {
  angle,
  cosineOfAngle,
  powerMinusOne,
  sineOfAngle,
  tangentOfAngle,
  timesLogarithm,
  timesLogarithmPlusOne,
} from "./transcendental.js";
