// What a completion queue hands back.
#ifndef SIGHTLINE_SERVER_RPC_TAG_H_
#define SIGHTLINE_SERVER_RPC_TAG_H_

namespace sightline::server {

class Tag {
 public:
  virtual ~Tag() = default;
  // Called on a completion-queue thread when the operation that carried the tag has ended.
  virtual void Proceed(bool ok) = 0;
};

// A tag that calls one method of its owner.
template <typename Owner, void (Owner::*method)(bool)>
class MethodTag final : public Tag {
 public:
  explicit MethodTag(Owner* owner) : owner_(owner) {}
  void Proceed(bool ok) override { (owner_->*method)(ok); }

 private:
  Owner* const owner_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_TAG_H_
