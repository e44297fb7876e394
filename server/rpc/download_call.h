// DownloadCall: one server stream, sent piece by piece: the next piece is made when the one before is on its way, so a
// caller who reads slowly is waited for, and one piece is in memory.
//
// Threading: tags come on completion-queue threads; pieces are made on the pool given, which may wait for the disk. One
// of them acts at a time. When the server drains, the stream ends with UNAVAILABLE after the piece in hand. Ownership:
// the object owns itself.
#ifndef SIGHTLINE_SERVER_RPC_DOWNLOAD_CALL_H_
#define SIGHTLINE_SERVER_RPC_DOWNLOAD_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/collection_of.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/streaming_call.h"
#include "server/rpc/tag.h"

namespace sightline::server {

// `Source` has `absl::StatusOr<bool> Next(Resp* piece)`: false after the last piece.
template <typename Req, typename Resp, typename Source>
struct DownloadMethod {
  AsyncMethod async;
  std::function<absl::StatusOr<std::unique_ptr<Source>>(const Req&)> open;
  base::ThreadPool* pool;
  CallMethod call;
  CallEnvironment* environment;
};

template <typename Req, typename Resp, typename Source>
class DownloadCall final : public StreamingCall<DownloadMethod<Req, Resp, Source>> {
 public:
  using Method = DownloadMethod<Req, Resp, Source>;

  static void Listen(const Method* method, grpc::ServerCompletionQueue* queue) { new DownloadCall(method, queue); }

  void Drain() override {
    draining_ = true;
    if (awaits_message_.exchange(false)) Answer(StillWanted());
  }

 private:
  using Base = StreamingCall<Method>;
  using Base::arrive_tag_;
  using Base::context_;
  using Base::method_;
  using Base::queue_;

  DownloadCall(const Method* method, grpc::ServerCompletionQueue* queue) : Base(method, queue), stream_(&context_) {
    method_.async.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  void Begin() override {
    Listen(&method_, queue_);
    Base::AwaitsCaller();
    stream_.Read(&guarded_, &read_tag_);
    if (method_.environment->draining()) Drain();
  }

  void Read(bool ok) {
    Base::AwaitsNothing();
    if (awaits_message_.exchange(false)) Handle(ok);
    ReleaseIfLast();
  }

  void Handle(bool ok) {
    if (!ok) return Answer(MessageMissing());
    request_ = method_.environment->MakeRequest(context_);
    absl::Status refusal = method_.environment->Enter(method_.call, &context_, CollectionOf(guarded_.message),
                                                      /*message_bytes=*/0, request_.get());
    entered_ = refusal.ok();
    if (!entered_) return Answer(std::move(refusal));
    if (!guarded_.status.ok()) return Answer(guarded_.status);
    Submit();
  }

  void Submit() {
    if (method_.pool->TrySubmit([this] { Work(); })) return;
    Answer(Base::PoolIsFull());
  }

  // On the pool. Nothing may be touched once the stream was told what comes next.
  void Work() {
    absl::Status status = StillWanted();
    bool more = false;
    if (status.ok() && source_ == nullptr) {
      absl::StatusOr<std::unique_ptr<Source>> source = method_.open(guarded_.message);
      status = source.status();
      if (status.ok()) source_ = *std::move(source);
    }
    if (status.ok()) {
      piece_.Clear();
      absl::StatusOr<bool> next = source_->Next(&piece_);
      status = next.status();
      more = status.ok() && *next;
    }
    if (more) {
      Base::AwaitsCaller();
      stream_.Write(piece_, &written_tag_);
    } else {
      source_.reset();
      Answer(std::move(status));
    }
  }

  absl::Status StillWanted() const {
    if (cancelled_) return Base::CallerGone("Go on from where it broke.");
    if (draining_) return Base::Draining(". Go on later from the last byte received.");
    return absl::OkStatus();
  }

  void Written(bool ok) {
    Base::AwaitsNothing();
    if (!ok) cancelled_ = true;
    Submit();
  }

  void Answer(absl::Status status) {
    if (entered_) method_.environment->Leave(method_.call, *request_, status);
    stream_.Finish(ToGrpcStatus(status), &finished_tag_);
  }

  void Finished(bool) { ReleaseIfLast(); }

  void End(bool cancelled) override {
    if (cancelled) cancelled_ = true;
    ReleaseIfLast();
  }

  void ReleaseIfLast() {
    if (--tags_left_ == 0) Base::Release();
  }

  grpc::ServerAsyncReaderWriter<Resp, Guarded<Req>> stream_;
  Guarded<Req> guarded_;
  RequestPtr request_;
  bool entered_ = false;
  std::unique_ptr<Source> source_;
  Resp piece_;  // belongs to gRPC while it is written
  std::atomic<bool> draining_ = false;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> awaits_message_ = true;  // whoever sets it to false says what comes next
  std::atomic<int> tags_left_ = 3;           // the message, the answer sent, and the end
  MethodTag<DownloadCall, &DownloadCall::Read> read_tag_{this};
  MethodTag<DownloadCall, &DownloadCall::Written> written_tag_{this};
  MethodTag<DownloadCall, &DownloadCall::Finished> finished_tag_{this};
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_DOWNLOAD_CALL_H_
