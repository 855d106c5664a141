import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { quote } from './environment.ts'

test.each(['plain', 'two words', "it's", '$HOME `id` "x"', 'a\nb', ''])(
  'a shell reads %j as it was',
  (value) => {
    const read = execFileSync('sh', ['-c', `printf %s ${quote(value)}`], { encoding: 'utf8' })
    expect(read).toBe(value)
  },
)
