// One unary call of the API, as every method of Client makes it. Only this folder's .cc files include it.
//
// Threading: any thread. Failure: the server's Status, or this library's words where no server answered.
#ifndef SIGHTLINE_CLIENT_CPP_CALL_H_
#define SIGHTLINE_CLIENT_CPP_CALL_H_

#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "client/cpp/impl.h"
#include "client/cpp/retry.h"

namespace sightline::client {

// Makes a unary call, again and again while the server refuses it with a retry delay that ends before the deadline.
// An error that names no delay is not repeated here: the caller of a single call wants to know at once.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(const Client::Options& options, absl::Duration deadline, Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                              const Request& request) {
  const absl::Time end = absl::Now() + deadline;
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    AddCredentials(options, &context);
    context.set_deadline(absl::ToChronoTime(end));
    Response response;
    const absl::Status status = FromGrpc((stub.*method)(&context, request, &response), {options.address, deadline});
    if (status.ok()) return response;
    const bool asked_to_wait = base::GetErrorInfo(status).retry_after.has_value();
    const absl::Duration wait = Backoff(options.retry, attempt, status, 1.0);
    if (!asked_to_wait || !IsRetryable(status) || attempt >= options.retry.max_attempts || absl::Now() + wait >= end) {
      return status;
    }
    std::this_thread::sleep_for(absl::ToChronoNanoseconds(wait));
  }
}

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_CALL_H_
