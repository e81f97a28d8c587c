//! Every method is documented with an example that a client could send.

use crate::reflected;
use prost_reflect::{DescriptorPool, MethodDescriptor};

/// The comment above a method.
fn comment(method: &MethodDescriptor) -> String {
    let file = method.parent_file().file_descriptor_proto().clone();
    let info = file.source_code_info.unwrap();
    let location = info.location.into_iter().find(|location| location.path == method.path());
    location.unwrap().leading_comments().to_owned()
}

/// The JSON of the example in a comment.
fn example(comment: &str) -> Option<String> {
    let told = comment.split_once("\n Example: `")?.1;
    // What it is answered may follow.
    let (json, _) = told.split_once('`')?;
    Some(json.replace("\n ", "\n"))
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.package_name() == "makegood.v1");
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

#[test]
fn every_method_has_an_example_that_its_request_can_be_read_from() {
    let pool = reflected::description();
    let methods = methods(&pool);
    assert_eq!(methods.len(), super::promised().len());
    for method in methods {
        let name = method.full_name().to_owned();
        let json = example(&comment(&method)).unwrap_or_else(|| panic!("{name} has no example"));
        let message =
            reflected::read(method.input(), &json).unwrap_or_else(|error| panic!("{name}: {error}: {json}"));
        // A retry needs the id that the call was made with.
        for field in method.input().fields().filter(|field| field.name() == "request_id") {
            assert!(message.has_field(&field), "{name}: the example has no request id");
        }
    }
}

#[test]
fn an_example_with_a_field_that_is_not_there_is_found() {
    let pool = reflected::description();
    let method = reflected::method(&pool, "makegood.v1.RefundService/GetRefundRequest");
    assert!(reflected::read(method.input(), r#"{"accountId": "ada"}"#).is_ok());
    assert!(reflected::read(method.input(), r#"{"account": "ada"}"#).is_err());
    assert_eq!(
        example(" Says.\n\n Example: `{\"a\": 1,\n \"b\": 2}`\n"),
        Some("{\"a\": 1,\n\"b\": 2}".to_owned())
    );
    assert_eq!(example(" Says nothing more.\n"), None);
}
