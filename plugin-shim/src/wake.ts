// How the half in the terminal interface asks the other one for a sidecar: as a command of the interface that nobody has, which the
// host tells to all.
export const WAKE = "gantry.wake"
