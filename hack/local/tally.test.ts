import { expect, test } from 'vitest'
import { countReport, describe, type Report } from './tally.ts'

const report: Report = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
}
const broken = { status: 'failed', assertionResults: [] }

test.each([
  [
    'counts what passed, and what was skipped or is still to do',
    report,
    0,
    '3 passed, 0 failed, 2 skipped',
  ],
  [
    'counts failed tests once',
    { ...report, numFailedTests: 2 },
    1,
    '3 passed, 2 failed, 2 skipped',
  ],
  [
    'counts a file that could not be loaded',
    { ...report, testResults: [broken] },
    1,
    '3 passed, 1 failed, 2 skipped',
  ],
  ['counts an error outside of the tests', report, 1, '3 passed, 1 failed, 2 skipped'],
  [
    'counts a run without any test as a failure',
    { ...report, numPassedTests: 0 },
    0,
    '0 passed, 1 failed, 2 skipped',
  ],
  ['counts a run that wrote no report as a failure', undefined, 0, '0 passed, 1 failed, 0 skipped'],
])('%s', (_, given, exitCode, expected) => {
  expect(describe(countReport(given, exitCode))).toBe(expected)
})
