//! Currencies: the corporate currency, the users' currencies, and the conversion of amounts.

use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::schema::field::CURRENCIES;
use crate::model::schema::{FieldKind, Object};
use crate::model::store::Row;
use crate::model::value::Value;

/// The field with the currency of a record.
pub(crate) const CURRENCY: &str = "CurrencyIsoCode";

/// The conversion of amounts to one currency, by the rates of `CurrencyType`.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The currencies, with their units for one unit of the corporate currency.
    rates: Vec<(String, f64)>,
    to: String,
}

impl Exchange {
    /// Returns the code of the currency to which amounts are converted.
    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    fn rate(&self, code: &str) -> Option<f64> {
        self.rates.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, rate)| *rate)
    }

    /// Converts an amount; `None` if a currency is unknown or not active.
    pub(crate) fn amount(&self, amount: f64, from: &str) -> Option<f64> {
        if from.eq_ignore_ascii_case(&self.to) {
            return self.rate(from).map(|_| amount);
        }
        Some(amount / self.rate(from)? * self.rate(&self.to)?)
    }

    /// Converts a value in a record's currency; what is not an amount stays as it is.
    pub(crate) fn value(&self, value: &Value, from: &Value) -> Value {
        let converted = value.as_number().and_then(|amount| self.amount(amount, from.as_text()));
        converted.map_or_else(|| value.clone(), Value::Double)
    }
}

impl Org {
    /// Returns the conversion to a currency.
    pub(crate) fn exchange(&self, to: &str) -> Exchange {
        let object = "CurrencyType";
        let rows = self.store.table(object).into_iter().flat_map(|table| table.rows());
        let active = rows.filter(|row| *self.value(object, row, "IsActive") == Value::Bool(true));
        let rate = |row: &Row| {
            let code = self.value(object, row, "IsoCode").as_text().to_owned();
            Some((code, self.value(object, row, "ConversionRate").as_number()?))
        };
        Exchange { rates: active.filter_map(|row| rate(row)).collect(), to: to.to_owned() }
    }

    /// Returns the conversion to the corporate currency, in which aggregates and comparisons of amounts are.
    pub(crate) fn corporate_exchange(&self) -> Exchange {
        self.exchange(CURRENCIES[0])
    }

    /// Returns the currency of a user's new records.
    pub(crate) fn user_currency(&self, user: RecordId) -> &str {
        let row = self.store.get("User", user);
        let own = row.map_or("", |row| self.value("User", row, "DefaultCurrencyIsoCode").as_text());
        if own.is_empty() { CURRENCIES[0] } else { own }
    }

    /// Converts a value of a field from the currency of its record to that of another record, if it is an amount and both
    /// have a currency.
    pub(crate) fn in_currency_of(
        &self,
        value: Value,
        (object, row, at): (&Object, &Row, usize),
        to: (&Object, &Row),
    ) -> Value {
        let is_amount = object.fields.get(at).is_some_and(|field| field.kind == FieldKind::Currency);
        let currency = |object: &Object, row: &Row| object.position(CURRENCY).map(|at| row.get(at).clone());
        let (Some(from), Some(to), true) = (currency(object, row), currency(to.0, to.1), is_amount) else {
            return value;
        };
        if from == to { value } else { self.exchange(to.as_text()).value(&value, &from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_converted_over_the_corporate_currency() {
        let rates = [("USD", 1.0), ("EUR", 0.5), ("GBP", 0.25)].map(|(code, rate)| (code.to_owned(), rate)).to_vec();
        let to = |to: &str| Exchange { rates: rates.clone(), to: to.to_owned() };
        assert_eq!(to("USD").amount(100.0, "EUR"), Some(200.0));
        assert_eq!(to("GBP").amount(100.0, "EUR"), Some(50.0));
        assert_eq!(to("EUR").amount(100.0, "EUR"), Some(100.0));
        assert_eq!((to("USD").amount(1.0, "XXX"), to("XXX").amount(1.0, "XXX")), (None, None));
        assert_eq!(to("USD").value(&Value::Null, &Value::text("EUR")), Value::Null);
    }
}
