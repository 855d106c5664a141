import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'

/** Verifies ES256 signatures over a token's worth of bytes for some seconds, and prints how many it did in one. */
const seconds = Number(process.argv[2] ?? 3)
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const dsaEncoding = 'ieee-p1363'
const signed = Array.from({ length: 100 }, () => {
  const text = randomBytes(700)
  return { text, signature: sign('sha256', text, { key: privateKey, dsaEncoding }) }
})
const run = (milliseconds: number): number => {
  let count = 0
  const end = performance.now() + milliseconds
  while (performance.now() < end) {
    for (const { text, signature } of signed) {
      if (!verify('sha256', text, { key: publicKey, dsaEncoding }, signature)) process.exit(1)
      count++
    }
  }
  return (count / milliseconds) * 1000
}
run(500)
process.stdout.write(`${run(seconds * 1000)}\n`)
