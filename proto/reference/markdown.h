// The reference page, docs/api.md: services, methods, messages and codes, with an index.
//
// Threading: pure function. Failure: none.
#ifndef SIGHTLINE_PROTO_REFERENCE_MARKDOWN_H_
#define SIGHTLINE_PROTO_REFERENCE_MARKDOWN_H_

#include <string>

#include "proto/reference/api.h"

namespace sightline::reference {

std::string ReferencePage(const Api& api);

}  // namespace sightline::reference

#endif  // SIGHTLINE_PROTO_REFERENCE_MARKDOWN_H_
