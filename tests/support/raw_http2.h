// RawHttp2: a client of HTTP/2 that does what no library would: sends a byte at a time, opens streams only to reset
// them, never reads. For tests of how a server bears it.
//
// Threading: one thread at a time for each connection. Ownership: owns its socket. Failure: Open's Status; a connection
// that the other side has closed says so in Closed and takes no more bytes.
//
//   auto connection = *RawHttp2::Open(port);
//   connection.Send(RawHttp2::Preface());
//   connection.Send(RawHttp2::Headers(1, "/sightline.v1.SearchService/Search"));
//   connection.Send(RawHttp2::Reset(1));
#ifndef SIGHTLINE_TESTS_SUPPORT_RAW_HTTP2_H_
#define SIGHTLINE_TESTS_SUPPORT_RAW_HTTP2_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sightline::testing {

class RawHttp2 {
 public:
  // To this port of the loopback address. `receive_buffer` 0: the system's own.
  static absl::StatusOr<RawHttp2> Open(int port, int receive_buffer = 0);
  RawHttp2(RawHttp2&& other) noexcept;
  RawHttp2& operator=(RawHttp2&& other) noexcept;
  ~RawHttp2();

  // What a connection begins with. `window`: what the server may send on a stream before it is allowed more.
  static std::string Preface(uint32_t window = 65'535);
  // A call that begins; its messages follow.
  static std::string Headers(uint32_t stream, absl::string_view path);
  // One gRPC message, or a piece of one: `bytes` are sent as they are.
  static std::string Data(uint32_t stream, absl::string_view bytes, bool end);
  // The five bytes before a message, and the message.
  static std::string Message(absl::string_view bytes);
  static std::string Reset(uint32_t stream);

  // Sends all of it, waiting where the server takes no more, 5 s at most; false when the connection is gone.
  bool Send(absl::string_view bytes);
  // Reads and forgets what has come; true once the server has closed the connection.
  bool Closed();
  // Waits for that.
  bool WaitUntilClosed(absl::Duration most);
  // Reads what has come, without waiting.
  std::string Receive();
  // Closes at once, with a reset instead of a farewell.
  void Abort();

 private:
  explicit RawHttp2(int fd) : fd_(fd) {}

  int fd_;
  bool closed_ = false;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_RAW_HTTP2_H_
