//! `DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi')`: the way along the surface of the earth from a
//! record's place to a fixed one (SOQL reference, "Location-based SOQL queries").

/// The mean radius of the earth in kilometers.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;
const KM_PER_MILE: f64 = 1.609_344;

/// The unit of a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Miles,
    Kilometers,
}

/// A fixed place, and the unit in which distances to it are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Center {
    /// Degrees north.
    pub(super) latitude: f64,
    /// Degrees east.
    pub(super) longitude: f64,
    pub(super) unit: Unit,
}

impl Center {
    /// Returns the distance to a place given in degrees north and east, by the haversine formula.
    pub(super) fn distance(self, latitude: f64, longitude: f64) -> f64 {
        let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin();
        let across = half_sine(self.longitude, longitude).powi(2) * self.latitude.to_radians().cos();
        let square = half_sine(self.latitude, latitude).powi(2) + across * latitude.to_radians().cos();
        let kilometers = 2.0 * EARTH_RADIUS_KM * square.min(1.0).sqrt().asin();
        if self.unit == Unit::Miles { kilometers / KM_PER_MILE } else { kilometers }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_distances_are_found() {
        let san_francisco = |unit| Center { latitude: 37.775, longitude: -122.418, unit };
        assert!((san_francisco(Unit::Kilometers).distance(34.05, -118.24) - 559.0).abs() < 2.0);
        assert!((san_francisco(Unit::Miles).distance(34.05, -118.24) - 347.5).abs() < 2.0);
        let antipode = Center { latitude: 90.0, longitude: 0.0, unit: Unit::Kilometers };
        assert!((antipode.distance(-90.0, 0.0) - 20_015.0).abs() < 1.0);
    }

    proptest! {
        #[test]
        fn a_distance_is_the_same_both_ways(a in -90.0..90.0, b in -180.0..180.0, c in -90.0..90.0, d in -180.0..180.0) {
            let there = Center { latitude: a, longitude: b, unit: Unit::Kilometers }.distance(c, d);
            let back = Center { latitude: c, longitude: d, unit: Unit::Kilometers }.distance(a, b);
            prop_assert!((there - back).abs() < 1e-6);
            prop_assert!((0.0..20_016.0).contains(&there));
        }
    }
}
