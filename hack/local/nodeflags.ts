/**
 * What Node is told for each part, here and in the chart: bounds of the young generation. The operator would keep what its
 * start needs, and the auth service stop for longer when garbage is collected (docs/adr/0020).
 */
export const nodeFlags = {
  operator: ['--max-semi-space-size=8'],
  auth: ['--max-semi-space-size=4'],
} as const
