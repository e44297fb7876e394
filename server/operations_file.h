// The file of the operations: what a restarted server still knows about long work.
//
// Little-endian: 8 bytes "SLTOPERA", a uint32 version (1), a uint32 CRC-32C of all that follows; then a uint64, the
// number the next operation gets, and the operations by number: each one a sightline.v1.Operation and a
// google.protobuf.Any (the request it can be repeated from; empty for none), both with their length before them as
// protobuf's delimited messages have it. A file is replaced as a whole.
//
// Threading: pure functions. Failure: DATA_LOSS for a damaged file, FAILED_PRECONDITION for one of a later version.
#ifndef SIGHTLINE_SERVER_OPERATIONS_FILE_H_
#define SIGHTLINE_SERVER_OPERATIONS_FILE_H_

#include <google/protobuf/any.pb.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sightline/v1/operation.pb.h"

namespace sightline::server {

struct StoredOperation {
  v1::Operation operation;
  google::protobuf::Any request;
};

struct StoredOperations {
  uint64_t next_number = 1;
  std::vector<StoredOperation> operations;
};

std::string EncodeOperations(const StoredOperations& stored);
absl::StatusOr<StoredOperations> DecodeOperations(absl::string_view bytes);

// The number in "operations/NUMBER", or 0 for any other text.
uint64_t OperationNumber(absl::string_view name);
std::string OperationName(uint64_t number);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_OPERATIONS_FILE_H_
