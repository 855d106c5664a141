import { fork } from 'node:child_process'
import path from 'node:path'
import type { HashingAnswer } from '../auth/password/hashing.ts'
import type { HashingListener, HashingProcess } from '../auth/password/processhasher.ts'

/** As TypeScript here, and as JavaScript in the image. */
const program = path.join(
  import.meta.dirname,
  `passwordhasher${path.extname(import.meta.filename)}`,
)

/** Starts a process that hashes passwords. It inherits no environment, no arguments and no files. */
export function startHashingProcess(listener: HashingListener): HashingProcess {
  const child = fork(program, [], {
    env: {},
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  let over = false
  const end = (reason: string): void => {
    if (over) return
    over = true
    child.kill('SIGKILL')
    listener.onEnd(reason)
  }
  child.on('message', (answer) => listener.onAnswer(answer as HashingAnswer))
  child.on('error', (error) => end(error.message))
  child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  return {
    send: (task) => {
      // An error of the channel comes as its end.
      child.send(task, (error) => error && end(error.message))
    },
    kill: () => child.kill('SIGKILL'),
  }
}
