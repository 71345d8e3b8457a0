/**
 * XD, SMEP and SMAP, as code in both rings meets them: what is let through, and the error code, address and EIP of what is
 * not. The same image runs on QEMU.
 */
import { describe } from "vitest";
import { testSeries } from "./support/cell-series.js";
import { pagingCells } from "./support/paging-cells.js";

describe("with PAE paging", () => testSeries(pagingCells, { model: "max", cpu: "max" }));
