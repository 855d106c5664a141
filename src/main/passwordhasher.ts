import { constants, setPriority } from 'node:os'
import { type HashingTask, hashing } from '../auth/password/hashing.ts'

/**
 * The process that hashes passwords, started by `passwordhasherprocess.ts`. It is told what to hash over the channel alone: nothing
 * secret is among its arguments or in its environment.
 */
if (import.meta.main) {
  // Whoever is checked goes first. Only ever down: that needs no right.
  setPriority(0, constants.priority.PRIORITY_LOW)
  // It ends with whoever started it, and not before: what is being drained still hashes.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  process.on('disconnect', () => process.exit(0))
  process.on('message', (task: HashingTask) => {
    // What is thrown ends the process, and another one is started.
    void hashing(task).then((answer) => process.send?.(answer))
  })
}
