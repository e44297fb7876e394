// HttpClient: one HTTP/1.1 connection to 127.0.0.1, byte for byte, so that tests can send what no library would.
//
// Threading: one thread at a time. Ownership: owns its socket. Failure: an answer of code 0 where the connection ended
// or said nothing for 20 s.
//
//   HttpClient client(server->http_port());
//   const HttpAnswer answer = client.Post("/v1/collections:list", "{}");
#ifndef SIGHTLINE_TESTS_SUPPORT_HTTP_CLIENT_H_
#define SIGHTLINE_TESTS_SUPPORT_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sightline::testing {

struct HttpAnswer {
  int code = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool whole = false;  // the body ended as its headers promised
};

class HttpClient {
 public:
  explicit HttpClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval wait = {.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~HttpClient() { close(fd_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  // False where the other side has closed.
  bool Send(const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

  using Headers = std::vector<std::string>;  // "Name: value"

  HttpAnswer Call(const std::string& method, const std::string& path, const std::string& body = "",
                  const Headers& headers = {}) {
    std::string text = method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) + "\r\n";
    for (const std::string& header : headers) text += header + "\r\n";
    if (!body.empty() || method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    Send(text + "\r\n" + body);
    return Read(method == "HEAD");
  }
  HttpAnswer Get(const std::string& path, const Headers& headers = {}) { return Call("GET", path, "", headers); }
  HttpAnswer Post(const std::string& path, const std::string& json, Headers headers = {}) {
    headers.push_back("Content-Type: application/json");
    return Call("POST", path, json, headers);
  }

  // The next answer.
  HttpAnswer Read(bool head = false) {
    HttpAnswer answer;
    size_t end;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!More()) return answer;
    }
    ParseHead(in_.substr(0, end), &answer);
    in_.erase(0, end + 4);
    if (answer.code == 100) return Read(head);
    if (head || answer.code == 204 || answer.code == 304) {
      answer.whole = true;
    } else if (answer.headers["transfer-encoding"] == "chunked") {
      ReadChunks(&answer);
    } else if (answer.headers.contains("content-length")) {
      const size_t size = std::strtoull(answer.headers["content-length"].c_str(), nullptr, 10);
      while (in_.size() < size && More()) {
      }
      answer.whole = in_.size() >= size;
      answer.body = in_.substr(0, size);
      in_.erase(0, size);
    } else {
      while (More()) {
      }
      answer.body = std::exchange(in_, "");
      answer.whole = true;
    }
    return answer;
  }

  // Whether the other side has closed, waiting for it.
  bool Closed() {
    while (More()) {
    }
    return true;
  }

 private:
  bool More() {
    char buffer[16384];
    ssize_t count;
    do {
      count = recv(fd_, buffer, sizeof(buffer), 0);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return false;
    in_.append(buffer, static_cast<size_t>(count));
    return true;
  }

  static void ParseHead(const std::string& head, HttpAnswer* answer) {
    answer->code = std::atoi(head.substr(head.find(' ') + 1).c_str());
    for (size_t at = head.find("\r\n"); at != std::string::npos;) {
      const size_t next = head.find("\r\n", at + 2);
      const std::string line = head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) {
        std::string name = line.substr(0, colon);
        for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        answer->headers[name] = line.substr(colon + 2);
      }
      at = next;
    }
  }

  void ReadChunks(HttpAnswer* answer) {
    while (true) {
      size_t line;
      while ((line = in_.find("\r\n")) == std::string::npos) {
        if (!More()) return;
      }
      const size_t size = std::strtoull(in_.c_str(), nullptr, 16);
      while (in_.size() < line + 2 + size + 2) {
        if (!More()) return;
      }
      answer->body += in_.substr(line + 2, size);
      in_.erase(0, line + 2 + size + 2);
      if (size == 0) {
        answer->whole = true;
        return;
      }
    }
  }

  const int fd_;
  const int port_;
  bool connected_ = false;
  std::string in_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_HTTP_CLIENT_H_
