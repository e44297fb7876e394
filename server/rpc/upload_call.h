// UploadCall: one client stream, taken in piece by piece: the next piece is read when the one before has been dealt
// with, so a fast sender is slowed down by flow control, and one piece is in memory.
//
// Threading: tags come on completion-queue threads; pieces are taken in on the pool given, which may wait for the disk.
// When the server drains, the stream ends with UNAVAILABLE, at once where it waits for the caller. Ownership: the
// object owns itself; the sink is destroyed on the pool.
#ifndef SIGHTLINE_SERVER_RPC_UPLOAD_CALL_H_
#define SIGHTLINE_SERVER_RPC_UPLOAD_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/streaming_call.h"
#include "server/rpc/tag.h"

namespace sightline::server {

// `Sink` has `absl::Status Take(const Req& piece)` and `absl::Status Finish(Resp* reply)`.
template <typename Req, typename Resp, typename Sink>
struct UploadMethod {
  AsyncMethod async;
  std::function<absl::StatusOr<std::unique_ptr<Sink>>()> open;
  base::ThreadPool* pool;
  CallMethod call;
  CallEnvironment* environment;
};

template <typename Req, typename Resp, typename Sink>
class UploadCall final : public StreamingCall<UploadMethod<Req, Resp, Sink>> {
 public:
  using Method = UploadMethod<Req, Resp, Sink>;

  static void Listen(const Method* method, grpc::ServerCompletionQueue* queue) { new UploadCall(method, queue); }

  void Drain() override {
    base::MutexLock lock(mutex_);
    draining_ = true;
    if (reading_ && !ending_) Answer(StillWanted());
  }

 private:
  using Base = StreamingCall<Method>;
  using Base::arrive_tag_;
  using Base::context_;
  using Base::method_;
  using Base::queue_;

  UploadCall(const Method* method, grpc::ServerCompletionQueue* queue) : Base(method, queue), stream_(&context_) {
    method_.async.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  void Begin() override {
    Listen(&method_, queue_);
    request_ = method_.environment->MakeRequest(context_);
    absl::Status status = method_.environment->Enter(method_.call, &context_, /*collection=*/"",
                                                     /*message_bytes=*/0, request_.get());
    base::MutexLock lock(mutex_);
    entered_ = status.ok();
    if (entered_) status = StillWanted();
    if (!status.ok()) return Answer(std::move(status));
    StartRead();
  }

  void StartRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    reading_ = true;
    ++pending_;
    Base::AwaitsCaller();
    stream_.Read(&piece_, &read_tag_);
  }

  void Read(bool ok) {
    Base::AwaitsNothing();
    bool release = false;
    {
      base::MutexLock lock(mutex_);
      reading_ = false;
      if (ending_) {
        --pending_;
        release = IsOver();
      } else if (!method_.pool->TrySubmit([this, ok] { Work(/*last=*/!ok); })) {
        --pending_;
        Answer(Base::PoolIsFull());
      }
    }
    if (release) Base::Release();
  }

  // On the pool. `last`: nothing more comes from the caller. A tag follows in any case, which may release the object.
  void Work(bool last) {
    absl::Status status;
    {
      base::MutexLock lock(mutex_);
      status = StillWanted();
    }
    if (status.ok() && !last) status = piece_.status;
    if (status.ok() && sink_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Sink>> sink = method_.open();
      status = sink.status();
      if (status.ok()) sink_ = *std::move(sink);
    }
    if (status.ok()) status = last ? sink_->Finish(&reply_) : sink_->Take(piece_.message);
    const bool over = last || !status.ok();
    if (over) sink_.reset();
    base::MutexLock lock(mutex_);
    --pending_;
    if (!over) status = StillWanted();
    if (over || !status.ok()) {
      Answer(std::move(status));
    } else {
      StartRead();
    }
  }

  absl::Status StillWanted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (cancelled_) return Base::CallerGone("Send all of it again.");
    if (draining_) return Base::Draining("; nothing of the upload was kept. Send it again later.");
    return absl::OkStatus();
  }

  void Answer(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ending_ = true;
    if (sink_ != nullptr) {
      // Removing what was taken in may take long. A pool that is full leaves it to this thread.
      std::shared_ptr<Sink> sink = std::move(sink_);
      (void)method_.pool->TrySubmit([sink] {});
    }
    answer_ = status;
    ++pending_;
    if (status.ok()) {
      stream_.Finish(reply_, grpc::Status::OK, &finished_tag_);
    } else {
      stream_.FinishWithError(ToGrpcStatus(status), &finished_tag_);
    }
  }

  void Finished(bool) {
    bool release = false;
    bool entered = false;
    {
      base::MutexLock lock(mutex_);
      entered = entered_;
    }
    // Not in Answer: a drain ends calls while it holds what this needs.
    if (entered) method_.environment->Leave(method_.call, *request_, answer_);
    {
      base::MutexLock lock(mutex_);
      --pending_;
      release = IsOver();
    }
    if (release) Base::Release();
  }

  void End(bool cancelled) override {
    bool release = false;
    {
      base::MutexLock lock(mutex_);
      over_ = true;
      if (cancelled) cancelled_ = true;
      release = IsOver();
    }
    if (release) Base::Release();
  }

  // Becomes true once, with the last tag.
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return over_ && ending_ && pending_ == 0; }

  grpc::ServerAsyncReader<Resp, Guarded<Req>> stream_;
  RequestPtr request_;
  std::unique_ptr<Sink> sink_;  // the pool's while it works, else whoever ends the call
  Guarded<Req> piece_;          // belongs to gRPC while it is read
  Resp reply_;
  absl::Status answer_;  // set before the end is sent
  base::Mutex mutex_;
  int pending_ ABSL_GUARDED_BY(mutex_) = 0;  // a read with the work on it, and the end; not the over tag
  bool entered_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  MethodTag<UploadCall, &UploadCall::Read> read_tag_{this};
  MethodTag<UploadCall, &UploadCall::Finished> finished_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_UPLOAD_CALL_H_
