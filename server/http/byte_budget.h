// ByteBudget: how many bytes of bodies are in hand, and whether there is room for more.
//
// Threading: all methods from any thread. Ownership: a Share gives back what it took when it ends; it must not outlive
// the budget. Failure: Take answers false and has then taken nothing.
//
//   ByteBudget::Share share(&budget);
//   if (!share.Take(piece.size())) return Busy();
#ifndef SIGHTLINE_SERVER_HTTP_BYTE_BUDGET_H_
#define SIGHTLINE_SERVER_HTTP_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace sightline::server {

class ByteBudget {
 public:
  explicit ByteBudget(int64_t limit) : limit_(limit) {}

  class Share {
   public:
    explicit Share(ByteBudget* budget) : budget_(budget) {}
    ~Share() { Give(taken_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    [[nodiscard]] bool Take(int64_t bytes) {
      if (budget_->held_.fetch_add(bytes) + bytes > budget_->limit_) {
        budget_->held_ -= bytes;
        return false;
      }
      taken_ += bytes;
      return true;
    }
    // Answers must be had once the work is done, whatever they take.
    void TakeAnyway(int64_t bytes) {
      budget_->held_ += bytes;
      taken_ += bytes;
    }
    void Give(int64_t bytes) {
      budget_->held_ -= bytes;
      taken_ -= bytes;
    }

    int64_t taken() const { return taken_; }

   private:
    ByteBudget* const budget_;
    std::atomic<int64_t> taken_ = 0;
  };

  int64_t limit() const { return limit_; }
  int64_t held() const { return held_; }

 private:
  const int64_t limit_;
  std::atomic<int64_t> held_ = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_BYTE_BUDGET_H_
