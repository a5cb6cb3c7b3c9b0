//! Connect links and consents against the emulator and a simulated org. The token broker and onboarding are played.

mod connecting;
mod linking;
mod played;
mod refusing;
mod silence;
mod stage;
