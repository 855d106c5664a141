import { expect, test } from 'vitest'
import { mustReload } from './changes.ts'

const position = { snapshot: '100:105:101,103', epoch: 'a', server: '1/5/00000001' }

test.each([
  ['at the start', undefined, position, false, true],
  ['when the feed goes on', position, { ...position, snapshot: '104:110:' }, false, false],
  ['when nothing happened', position, position, false, false],
  ['when what it missed was pruned', position, position, true, true],
  ['after a restore into a new cluster', position, { ...position, epoch: 'b' }, false, true],
  ['after a failover', position, { ...position, server: '1/5/00000002' }, false, true],
  [
    'after a restore beside the former',
    position,
    { ...position, server: '1/6/00000001' },
    false,
    true,
  ],
  ['when transactions were undone', position, { ...position, snapshot: '90:99:' }, false, true],
  [
    'not for numbers of another length',
    { ...position, snapshot: '99:99:' },
    { ...position, snapshot: '100:100:' },
    false,
    false,
  ],
])('everything is loaded anew %s', (_, last, next, pruned, answer) => {
  expect(mustReload(last, next, pruned)).toBe(answer)
})
