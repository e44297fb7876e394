#include "model/image/sandbox/wire.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "base/status.h"

namespace sightline::image {
namespace {

constexpr size_t kMostFds = 2;

void AddText(absl::string_view text, std::string* out) {
  // Cut rather than lost: a message is for people.
  const uint16_t size = static_cast<uint16_t>(std::min<size_t>(text.size(), 1000));
  out->append(reinterpret_cast<const char*>(&size), sizeof(size));
  out->append(text.data(), size);
}

bool TakeText(absl::string_view* bytes, std::string* text) {
  uint16_t size = 0;
  if (bytes->size() < sizeof(size)) return false;
  std::memcpy(&size, bytes->data(), sizeof(size));
  bytes->remove_prefix(sizeof(size));
  if (bytes->size() < size) return false;
  *text = std::string(bytes->substr(0, size));
  bytes->remove_prefix(size);
  // It goes into answers and logs, and a helper may be somebody else's by now.
  std::replace_if(
      text->begin(), text->end(), [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  return true;
}

bool IsReason(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isupper(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           c == '_';
  });
}

}  // namespace

int SendMessage(int socket, const void* data, size_t size, absl::Span<const int> fds) {
  iovec part = {const_cast<void*>(data), size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostFds)> control = {};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

ssize_t ReceiveMessage(int socket, void* data, size_t size, std::vector<int>* fds, size_t most_fds) {
  iovec part = {data, size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostFds)> control = {};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return got;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      if (fds != nullptr && fds->size() < most_fds) {
        fds->push_back(fd);
      } else {
        ::close(fd);
      }
    }
  }
  return got;
}

std::string EncodeAnswer(const DecodeAnswer& answer) {
  const int32_t code = static_cast<int32_t>(answer.status.code());
  std::string bytes(reinterpret_cast<const char*>(&answer.number), sizeof(answer.number));
  bytes.append(reinterpret_cast<const char*>(&code), sizeof(code));
  if (answer.status.ok()) return bytes;
  const base::ErrorInfo info = base::GetErrorInfo(answer.status);
  AddText(info.reason, &bytes);
  AddText(answer.status.message(), &bytes);
  for (const auto& [key, value] : info.facts) {
    if (bytes.size() + key.size() + value.size() + 4 > kMostAnswerBytes) break;
    AddText(key, &bytes);
    AddText(value, &bytes);
  }
  return bytes;
}

bool ParseAnswer(absl::string_view bytes, DecodeAnswer* answer) {
  int32_t code = 0;
  if (bytes.size() < sizeof(answer->number) + sizeof(code)) return false;
  std::memcpy(&answer->number, bytes.data(), sizeof(answer->number));
  std::memcpy(&code, bytes.data() + sizeof(answer->number), sizeof(code));
  bytes.remove_prefix(sizeof(answer->number) + sizeof(code));
  answer->status = absl::OkStatus();
  if (code == 0) return bytes.empty();
  const absl::StatusCode kind = static_cast<absl::StatusCode>(code);
  if (kind != absl::StatusCode::kInvalidArgument && kind != absl::StatusCode::kResourceExhausted) return false;
  std::string reason;
  std::string message;
  if (!TakeText(&bytes, &reason) || !TakeText(&bytes, &message) || !IsReason(reason)) return false;
  base::ErrorFacts facts;
  while (!bytes.empty()) {
    std::string key;
    std::string value;
    if (!TakeText(&bytes, &key) || !TakeText(&bytes, &value)) return false;
    facts.emplace_back(std::move(key), std::move(value));
  }
  answer->status = base::Error(kind, reason, message, std::move(facts));
  return true;
}

}  // namespace sightline::image
