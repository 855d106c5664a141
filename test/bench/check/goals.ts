import { printTable } from '../report.ts'
import type { Run, Target } from './load.ts'
import type { Latencies } from './openloop.ts'

export interface Measured {
  readonly targets: Readonly<Record<string, Target>>
  readonly runs: Readonly<Record<string, readonly Run[]>>
  /** Queries for credentials while a target was under load. */
  readonly lookUps: Readonly<Record<string, number>>
  /** MB, after loading and after the load. */
  readonly memory: Readonly<
    Record<
      'loaded' | 'used',
      { readonly keys: number; readonly medium: number; readonly large: number }
    >
  >
  /** ES256 verifications a second, and nothing else, beside each run of unseen tokens. */
  readonly bareVerify: readonly number[]
  readonly slow: Latencies
  readonly fast: Latencies
}

interface Goal {
  readonly goal: string
  readonly what: string
  readonly measured: number
  readonly bound: number
  readonly least: boolean
  readonly unit?: string
}

/** A figure that misses its goal by less than this is within what the machine does by itself. */
const slack = 0.15
/** More than this between the first and the last hello, and somebody else was at work. */
const unquiet = 0.08

/** Prints what was measured. @returns the exit code */
export function report(measured: Measured): number {
  const median = (name: string, of: (run: Run) => number): number => {
    return middle((measured.runs[name] ?? []).map(of))
  }
  const ratio = (name: string): number => middle(ratiosToHello(measured, name))
  printTable(
    ['server', 'requests/s', '× R', 'p50 ms', 'p99 ms', 'CPU-s per 10k', 'wrong'],
    Object.entries(measured.targets).map(([name, target]) => [
      target.name,
      Math.round(median(name, ({ rate }) => rate)).toLocaleString('en'),
      ratio(name).toFixed(2),
      median(name, ({ p50 }) => p50).toFixed(2),
      median(name, ({ p99 }) => p99).toFixed(2),
      median(name, ({ cpu }) => cpu).toFixed(3),
      String((measured.runs[name] ?? []).reduce((sum, { wrong }) => sum + wrong, 0)),
    ]),
  )
  process.stdout.write('\n')
  const goals = goalsOf(measured, median, ratio)
  printTable(
    ['goal', 'what', 'measured', 'bound', ''],
    goals.map((goal) => [
      goal.goal,
      goal.what,
      `${format(goal.measured)}${goal.unit ?? ''}`,
      `${goal.least ? '≥' : '≤'} ${format(goal.bound)}${goal.unit ?? ''}`,
      verdict(goal),
    ]),
  )
  const rates = (measured.runs['hello'] ?? []).map(({ rate }) => rate)
  const drift = Math.max(...rates) / Math.min(...rates) - 1
  process.stdout.write(`\nR differs by ${(drift * 100).toFixed(1)} % between its runs`)
  process.stdout.write(drift > unquiet ? ': the machine was not quiet, run it again\n' : '\n')
  if (goals.some((goal) => verdict(goal) === 'MISSED')) return 1
  return drift > unquiet ? 2 : 0
}

function goalsOf(
  { runs, lookUps, memory, bareVerify, slow, fast }: Measured,
  median: (name: string, of: (run: Run) => number) => number,
  ratio: (name: string) => number,
): readonly Goal[] {
  const least = (goal: string, what: string, value: number, bound: number, unit = ''): Goal => {
    return { goal, what, measured: value, bound, least: true, unit }
  }
  const most = (goal: string, what: string, value: number, bound: number, unit = ''): Goal => {
    return { goal, what, measured: value, bound, least: false, unit }
  }
  return [
    least('G1', 'a key of 100,000, beside 1,000,000 sessions', ratio('medium'), 0.65, ' R'),
    least('G1', 'a cookie of 1,000,000', ratio('cookies'), 0.65, ' R'),
    least('G2', '16 connections, beside better-auth', ratio('few') / ratio('rival'), 25, ' ×'),
    least('G3', '1,000,000 keys beside 100', ratio('large') / ratio('small'), 0.85),
    least('G3', '1,000,000 sessions beside 2,000', ratio('cookies') / ratio('fewCookies'), 0.85),
    least('G4', 'access tokens seen before', ratio('tokens'), 0.75, ' R'),
    least(
      'G4',
      'ES256 tokens unseen, beside a bare verify',
      middle((runs['unseen'] ?? []).map(({ rate }, at) => rate / (bareVerify[at] ?? Number.NaN))),
      0.85,
    ),
    most(
      'G5',
      'CPU for 10,000 checks',
      median('medium', ({ cpu }) => cpu),
      0.16,
      ' s',
    ),
    most('G5', 'look-ups while warm', lookUps['medium'] ?? Number.NaN, 0),
    most(
      'G5',
      'CPU for 10,000 cookies',
      median('cookies', ({ cpu }) => cpu),
      0.16,
      ' s',
    ),
    most('G5', 'look-ups for cookies and tokens', looked(lookUps, ['cookies', 'tokens']), 0),
    most('G6', 'p99 at 1,000 requests/s', slow.p99, 1, ' ms'),
    most('G6', 'p99.9 at 1,000 requests/s', slow.p999, 4, ' ms'),
    most('G6', 'p99 at 10,000 requests/s', fast.p99, 1.5, ' ms'),
    most('G6', 'wrong answers at both', slow.wrong + fast.wrong, 0),
    least('G7', 'unknown keys, each looked up', ratio('unknown'), 0.25, ' R'),
    least('G7', 'wrong checksums beside valid keys', ratio('wrong') / ratio('medium'), 1),
    most('G7', 'look-ups for wrong checksums', lookUps['wrong'] ?? Number.NaN, 0),
    most('G9', 'memory with 100,000 keys, loaded', memory.loaded.keys, 180, ' MB'),
    most('G9', 'memory with 100,000 keys, after the load', memory.used.keys, 180, ' MB'),
    most(
      'G9',
      '1,000,000 sessions of 50,000 people add',
      memory.loaded.medium - memory.loaded.keys,
      90,
      ' MB',
    ),
    most('·', 'memory with both, after the load', memory.used.medium, Number.NaN, ' MB'),
    most('·', 'memory with 1,000,000 keys, loaded', memory.loaded.large, Number.NaN, ' MB'),
    most('·', 'memory with 1,000,000 keys, after the load', memory.used.large, Number.NaN, ' MB'),
  ]
}

function looked(lookUps: Measured['lookUps'], names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (lookUps[name] ?? Number.NaN), 0)
}

/** A target's rates beside the bare hello of the same round, which ran before and after it: a slow minute slows all of them. */
function ratiosToHello({ runs }: Measured, name: string): number[] {
  if (name === 'hello') return [1]
  const hello = (runs['hello'] ?? []).map(({ rate }) => rate)
  return (runs[name] ?? []).map(({ rate }, round) => {
    const [before = Number.NaN, after = before] = hello.slice(round * 2, round * 2 + 2)
    return rate / ((before + after) / 2)
  })
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

function verdict({ measured, bound, least }: Goal): string {
  if (Number.isNaN(bound)) return ''
  if (least ? measured >= bound : measured <= bound) return 'met'
  const missed = least ? 1 - measured / bound : measured / bound - 1
  return missed <= slack ? 'within 15 %' : 'MISSED'
}

function format(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en')
    : value.toFixed(2)
}
