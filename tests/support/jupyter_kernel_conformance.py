"""The installed kernel judged by jupyter_kernel_test, run by tests/long/jupyter.test.ts.

Left out: the pager, because payloads are IPython's own and front ends other than its console pass them over.
"""
import unittest

import jupyter_kernel_test


class VirtlabKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "virtlab"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('trouble')"
    completion_samples = [
        {"text": "Array.isArr", "matches": {"isArray"}},
        {"text": "Number.MAX_SAFE", "matches": {"MAX_SAFE_INTEGER"}},
    ]
    complete_code_samples = ["1", "console.log('hello')", "function f(x: number) {\n  return x * 2;\n}", "<T>(x: T) => x"]
    incomplete_code_samples = ["console.log('hello'", "function f(x: number) {", "`text", "/* comment", "const a ="]
    invalid_code_samples = ["1 = )", "let let = 5 5", "import = 7q"]
    code_generate_error = "throw new RangeError('too big')"
    code_execute_result = [
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[1, 2, 3].map((n) => n * n)", "result": "[ 1, 4, 9 ]"},
        {"code": "'a' + 'b'", "result": "ab"},
        {"code": "'ü' + '\\u{1f600}'", "result": "ü\U0001f600"},
    ]
    code_display_data = [
        {"code": "import { display } from 'tslab';\ndisplay.html('<b>x</b>')", "mime": "text/html"},
        {
            "code": "(globalThis as any)[Symbol.for('virtlab.notebook')].display({ 'image/svg+xml': '<svg/>' })",
            "mime": "image/svg+xml",
        },
    ]
    code_history_pattern = "1*+*3"
    code_inspect_sample = "Math.max"
    code_clear_output = "(globalThis as any)[Symbol.for('virtlab.notebook')].clear()"
    supported_history_operations = ("tail", "range", "search")


class VirtlabWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "virtlab"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
