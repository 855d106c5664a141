/** What each color is for, by the name of its CSS variable. */
export interface Palette {
  /** Behind everything. */
  readonly ground: string
  /** Behind what is read and filled in. */
  readonly surface: string
  readonly ink: string
  /** Text that says less. */
  readonly quiet: string
  /** Lines that only divide. */
  readonly line: string
  /** The edge of a field: without it, nobody sees where to type. */
  readonly edge: string
  readonly accent: string
  readonly 'accent-strong': string
  /** Text on the accent. */
  readonly 'on-accent': string
  readonly 'accent-soft': string
  readonly danger: string
  readonly 'danger-soft': string
}

export const light: Palette = {
  ground: '#f5f3ee',
  surface: '#ffffff',
  ink: '#1b1f1d',
  quiet: '#565d59',
  line: '#e0dcd2',
  edge: '#83877f',
  accent: '#17615a',
  'accent-strong': '#0f4a44',
  'on-accent': '#ffffff',
  'accent-soft': '#e3f0ec',
  danger: '#a0261c',
  'danger-soft': '#fceeeb',
}

export const dark: Palette = {
  ground: '#101413',
  surface: '#191f1d',
  ink: '#ebebe6',
  quiet: '#a6ada9',
  line: '#2e3633',
  edge: '#74807b',
  accent: '#7fcfbf',
  'accent-strong': '#a4e2d5',
  'on-accent': '#0b201c',
  'accent-soft': '#1a322d',
  danger: '#ffa396',
  'danger-soft': '#3b1f1b',
}

/** WCAG 2.2, 1.4.3: text needs 4.5. */
export const textOn: readonly (readonly [text: keyof Palette, ground: keyof Palette])[] = [
  ['ink', 'ground'],
  ['ink', 'surface'],
  ['ink', 'accent-soft'],
  ['ink', 'danger-soft'],
  ['quiet', 'ground'],
  ['quiet', 'surface'],
  ['accent', 'ground'],
  ['accent', 'surface'],
  ['accent', 'accent-soft'],
  ['accent-strong', 'ground'],
  ['accent-strong', 'surface'],
  ['accent-strong', 'accent-soft'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-strong'],
  ['danger', 'surface'],
  ['danger', 'danger-soft'],
  ['surface', 'danger'],
]

/** WCAG 2.2, 1.4.11: what shows where a control is, or that it has the focus, needs 3. */
export const edgeOn: readonly (readonly [edge: keyof Palette, ground: keyof Palette])[] = [
  ['edge', 'surface'],
  ['accent', 'surface'],
  ['accent', 'ground'],
  ['danger', 'surface'],
]
