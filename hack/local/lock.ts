import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isAlive } from './processes.ts'

/**
 * Runs `work` while holding the lock file `place`; waits for another holder, and takes the lock from one that died.
 * It saves work and is no safeguard: two that find a dead holder at the same instant may both go on.
 *
 * @param onWait called once when the lock is somebody else's.
 */
export async function holdingLock<T>(
  place: string,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  for (let told = false; !claimLock(place); ) {
    if (!told) onWait()
    told = true
    await sleep(500)
  }
  const release = (): void => rmSync(place, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

/** Takes the lock file `place` for this process, unless a process that lives holds it. */
export function claimLock(place: string): boolean {
  const own = `${place}.${process.pid}`
  writeFileSync(own, JSON.stringify(identify(process.pid)))
  try {
    // A link appears with its content, or fails because another one is there.
    linkSync(own, place)
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(own, { force: true })
  }
  if (isHeld(place)) return false
  rmSync(place, { force: true })
  return claimLock(place)
}

function isHeld(place: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(place, 'utf8')))
  } catch {
    return false
  }
}
