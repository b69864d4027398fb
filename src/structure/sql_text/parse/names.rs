//! Names of things and of types in an expression, the latter as the catalog has them.

use super::super::lexer::Token;
use super::super::tree::{Name, Type};
use super::Parser;

impl Parser<'_> {
    pub(super) fn name(&mut self) -> Result<String, String> {
        let name = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Name(name)) => name.clone(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(name)
    }

    pub(super) fn qualified_name(&mut self) -> Result<Name, String> {
        let name = self.name()?;
        Ok(if self.symbol(".") {
            Name { schema: Some(name), name: self.name()? }
        } else {
            Name::bare(name)
        })
    }

    pub(super) fn small_number(&mut self) -> Result<u32, String> {
        let number = match self.peek() {
            Some(Token::Number(digits)) => digits.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(number)
    }

    pub(super) fn type_name(&mut self) -> Result<Type, String> {
        let spelled = matches!(self.peek(), Some(Token::Word(_)));
        let mut name = self.qualified_name()?;
        let spelled = spelled && name.schema.is_none();
        if spelled {
            for (first, second) in [
                ("double", "precision"),
                ("character", "varying"),
                ("char", "varying"),
                ("bit", "varying"),
            ] {
                if name.name == first && self.word(second) {
                    name.name = format!("{first} {second}");
                }
            }
        }
        let mut modifiers = Vec::new();
        if self.symbol("(") {
            loop {
                modifiers.push(self.small_number()?);
                if self.symbol(")") {
                    break;
                }
                self.expect(",")?;
            }
        }
        if spelled {
            name.name = self.catalog_name(&name.name, &mut modifiers)?;
        }
        let mut array = false;
        while self.symbol("[") {
            self.expect("]")?;
            array = true;
        }
        Ok(Type { name, modifiers, array })
    }

    /// What the catalog calls a type of SQL.
    fn catalog_name(&mut self, name: &str, modifiers: &mut Vec<u32>) -> Result<String, String> {
        let zone = if matches!(name, "time" | "timestamp") && self.peek_word(1) == Some("time") {
            let with = self.word("with");
            if with || self.word("without") {
                self.expect_word("time")?;
                self.expect_word("zone")?;
            }
            with
        } else {
            false
        };
        Ok(match name {
            "int" | "integer" => "int4",
            "smallint" => "int2",
            "bigint" => "int8",
            "real" => "float4",
            "float" | "double precision" => "float8",
            "decimal" | "dec" => "numeric",
            "boolean" => "bool",
            "character varying" | "char varying" => "varchar",
            "bit varying" => "varbit",
            "character" | "char" => {
                if modifiers.is_empty() {
                    modifiers.push(1);
                }
                "bpchar"
            }
            "bit" => {
                if modifiers.is_empty() {
                    modifiers.push(1);
                }
                "bit"
            }
            "time" if zone => "timetz",
            "timestamp" if zone => "timestamptz",
            other => other,
        }
        .to_owned())
    }
}
