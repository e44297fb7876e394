// JsonStream: one streaming call by HTTP: messages of the body go to gRPC as they come, and answers are sent as they
// come once the body has ended, which is when libmicrohttpd can answer at all. Until then answers wait in a bounded
// buffer; a caller whose answers do not fit gets an error that says so. Both sides count towards the gateway's budget.
//
// Bodies are JSON, one message a line, or, of a snapshot, its bytes. Answers are JSON, one a line, server-sent events
// where the caller asks for them, or the bytes of a snapshot. An error that comes when answers are on their way is the
// last line, {"error": ...}; bytes that end in an error end the connection.
//
// Threading: as HttpCall and HttpBody; lines are read and answers written on the gateway's pool, one of each at a time.
// Ownership: the listener's and, while gRPC has tags, its own; borrows the gateway. Failure: what was sent before a
// line that is wrong is answered, then the error.
#ifndef SIGHTLINE_SERVER_HTTP_JSON_STREAM_H_
#define SIGHTLINE_SERVER_HTTP_JSON_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "google/rpc/status.pb.h"
#include "server/http/byte_budget.h"
#include "server/http/call_headers.h"
#include "server/http/gateway.h"
#include "server/http/http_call.h"
#include "server/http/routes.h"
#include "server/rpc/tag.h"

namespace sightline::server {

class JsonStream final : public HttpCall, public HttpBody, public std::enable_shared_from_this<JsonStream> {
 public:
  enum class Input { kLines, kBytes, kQuery };  // kQuery: one message, of the address alone
  enum class Output { kOne, kLines, kEvents, kBytes };

  JsonStream(Gateway& gateway, RouteMatch match, std::string query, CallHeaders headers, Input input, Output output,
             Waker wake);
  ~JsonStream() override;

  // Begins the call. Once, after it is made.
  void Start();

  Taken Take(absl::string_view piece) override;
  bool HasOwnPace() const override { return true; }
  void End() override;
  std::optional<HttpReply> TakeReply() override;
  void Gone() override;
  ssize_t Read(char* buffer, size_t size) override;

 private:
  struct Piece {
    std::string text;
    int64_t number = 0;  // of the line, from 1; of the first byte
  };

  void Started(bool ok);
  void Written(bool ok);
  void NoMore(bool ok);
  void Answered(bool ok);
  void Finished(bool ok);

  void Pump();
  void Convert(const Piece& piece);
  absl::StatusOr<grpc::ByteBuffer> ToMessageBuffer(const Piece& piece);
  void Render();
  std::string Framed(const std::string& json) const;
  static size_t CostOf(const Piece& piece);
  // Tells the budget how much is held now. False: it has no room for that, and was told nothing.
  [[nodiscard]] bool Settle(bool anyway = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  google::rpc::Status Outcome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<JsonStream> TagBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Gateway& gateway_;
  const RouteMatch match_;
  const std::string query_;
  const CallHeaders headers_;
  const Input input_;
  const Output output_;
  const Waker wake_;

  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer answer_;  // gRPC's while reading_
  grpc::Status status_;      // gRPC's until finished_
  MethodTag<JsonStream, &JsonStream::Started> started_tag_{this};
  MethodTag<JsonStream, &JsonStream::Written> written_tag_{this};
  MethodTag<JsonStream, &JsonStream::NoMore> no_more_tag_{this};
  MethodTag<JsonStream, &JsonStream::Answered> answered_tag_{this};
  MethodTag<JsonStream, &JsonStream::Finished> finished_tag_{this};

  base::Mutex mutex_;
  std::shared_ptr<JsonStream> self_ ABSL_GUARDED_BY(mutex_);  // while gRPC has tags
  int tags_ ABSL_GUARDED_BY(mutex_) = 0;
  ByteBudget::Share share_ ABSL_GUARDED_BY(mutex_);
  // What comes in.
  std::string tail_ ABSL_GUARDED_BY(mutex_);  // of a line that is not whole
  std::deque<Piece> pieces_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // what the pieces cost, and the one that is being read
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;   // of lines, or of bytes
  int64_t thrown_away_ ABSL_GUARDED_BY(mutex_) = 0;
  bool full_ ABSL_GUARDED_BY(mutex_) = false;  // the listener waits for room
  bool body_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;  // a piece is being read, or written to gRPC
  bool input_over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // of the gateway's own
  // What goes out.
  std::string out_ ABSL_GUARDED_BY(mutex_);
  size_t out_at_ ABSL_GUARDED_BY(mutex_) = 0;  // what is before is sent
  int64_t total_bytes_ ABSL_GUARDED_BY(mutex_) = -1;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_line_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_JSON_STREAM_H_
