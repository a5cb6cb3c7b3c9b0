//! The values of the handle's methods; the admin API uses the same values in JSON.
