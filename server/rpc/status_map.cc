#include "server/rpc/status_map.h"

#include "base/log.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"

namespace sightline::server {
namespace {

// Messages travel in HTTP/2 headers, where a client's limit may be 8 KiB for all of them together.
constexpr size_t kMaxMessageBytes = 2048;
constexpr size_t kMaxFactBytes = 256;

// protobuf refuses strings that are not UTF-8, and some of what we quote comes from callers.
std::string Printable(absl::string_view text, size_t limit) {
  std::string out;
  for (const char c : text.substr(0, limit)) {
    const unsigned char u = static_cast<unsigned char>(c);
    out.push_back(u < 0x20 || u >= 0x7F ? '?' : c);
  }
  return out;
}

}  // namespace

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  if (status.ok()) return out;
  out.set_message(Printable(status.message(), kMaxMessageBytes));
  const base::ErrorInfo info = base::GetErrorInfo(status);
  google::rpc::ErrorInfo error_info;
  error_info.set_reason(info.reason);
  error_info.set_domain(kErrorDomain);
  for (const auto& [key, value] : info.facts) {
    (*error_info.mutable_metadata())[Printable(key, kMaxFactBytes)] = Printable(value, kMaxFactBytes);
  }
  out.add_details()->PackFrom(error_info);
  if (info.retry_after) {
    google::rpc::RetryInfo retry;
    const int64_t nanos = absl::ToInt64Nanoseconds(*info.retry_after);
    retry.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    out.add_details()->PackFrom(retry);
  }
  return out;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rpc = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(rpc.code()), rpc.message(), rpc.SerializeAsString());
}

}  // namespace sightline::server
