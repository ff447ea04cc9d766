//! A macro for types that are set up by chained methods. It takes no logic: a method that does more than set a field
//! is written out.

/// Methods that set the field of their name and return the whole; `in inner;` says which field holds the fields.
macro_rules! setters {
    (in $inner:ident; $($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        #[must_use = "the method returns the changed value"]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$inner.$name = $name;
            self
        }
    )*};
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        #[must_use = "the method returns the changed value"]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
    )*};
}
