//! Macros for layers without parameters: each is one builder method of [`Graph`](crate::Graph).

/// A layer that calls `method(x)`, or `method(x, setting)` with the one setting that `new` takes.
macro_rules! operator_layer {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name;

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $method:ident, $(#[$about:meta])* $setting:ident: $type:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name {
            $setting: $type,
        }

        impl $name {
            $(#[$about])*
            pub fn new($setting: $type) -> Self {
                $name { $setting }
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x, self.$setting)
            }
        }
    };
}
