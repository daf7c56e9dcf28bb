//! The kernels that cut content: which there are, and which of them this processor takes.

use crate::error::{Class, Error, Result};

/// A way to find cut points. All find the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Byte by byte: the plainest.
    Scalar,
    /// Four scalar chains side by side; for any table.
    Lanes,
    /// Sixteen chains in four vectors of 128 bits, with AES-NI (x86-64).
    AesNi,
    /// Sixteen chains in two vectors of 256 bits, with VAES and AVX2 (x86-64).
    Vaes,
    /// Sixteen chains in a vector of 512 bits, with GFNI and AVX-512 (x86-64).
    Gfni,
}

impl Kernel {
    /// All that there are, the fastest last.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Lanes, Self::AesNi, Self::Vaes, Self::Gfni];

    /// The kernel in use: the one that the environment variable `REEL_GEAR` names, else the fastest of this processor.
    ///
    /// # Errors
    /// [`Class::Argument`] where the variable names none, or one that this processor lacks.
    pub fn chosen() -> Result<Self> {
        match std::env::var("REEL_GEAR") {
            Err(std::env::VarError::NotPresent) => Ok(Self::fastest()),
            Err(error) => Err(Error::new(Class::Argument, "REEL_GEAR", error.to_string())),
            Ok(name) => Self::named(&name),
        }
    }

    /// The fastest kernel that this processor can run.
    pub fn fastest() -> Self {
        Self::ALL.into_iter().rev().find(|kernel| kernel.is_available()).unwrap_or(Self::Scalar)
    }

    /// The kernel of a name, as `REEL_GEAR` takes it: `scalar`, `lanes`, `aesni`, `vaes` or `gfni`.
    ///
    /// # Errors
    /// As [`chosen`](Self::chosen).
    pub fn named(name: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let sentence = format!("\"{name}\" {why}, expected scalar, lanes, aesni, vaes or gfni");
            Err(Error::new(Class::Argument, "REEL_GEAR", sentence))
        };
        match Self::ALL.into_iter().find(|kernel| kernel.name() == name) {
            None => refuse("is no kernel"),
            Some(kernel) if !kernel.is_available() => refuse("needs what this processor lacks"),
            Some(kernel) => Ok(kernel),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Lanes => "lanes",
            Self::AesNi => "aesni",
            Self::Vaes => "vaes",
            Self::Gfni => "gfni",
        }
    }

    /// Whether this processor can run it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar | Self::Lanes => true,
            Self::AesNi => is_x86_feature_detected!("aes") && is_x86_feature_detected!("sse4.1"),
            Self::Vaes => is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx2"),
            Self::Gfni => {
                is_x86_feature_detected!("gfni")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
            }
        }
    }

    /// Whether this processor can run it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Scalar | Self::Lanes)
    }
}
