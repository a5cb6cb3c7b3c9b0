
# Behavior of SQS that ministack's standard queues lack. This file runs between supervise.py and jwt.py.
import time  # noqa: E402

from ministack.services import sqs  # noqa: E402

# Amazon SQS Developer Guide, "How Amazon SQS fair queues work": a message group is noisy if it has at least this many messages
# in flight and more than this share of all messages in flight. Messages of the other groups are delivered first. The guide's
# other criterion, the share of processing time, is not emulated.
NOISY_MIN_IN_FLIGHT = 30
NOISY_SHARE = 0.1

ministack_collect = sqs._collect_msgs


def collect_fairly(queue, count, visibility_timeout):
    if queue["is_fifo"]:
        return ministack_collect(queue, count, visibility_timeout)
    now = time.time()
    in_flight = {}
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
        if message["visible_at"] > now and message["receive_count"] > 0:
            # A message without a group id counts as a group by itself.
            group = message["group_id"] or message["id"]
            in_flight[group] = in_flight.get(group, 0) + 1
    share = NOISY_SHARE * sum(in_flight.values())
    noisy = {group for group, number in in_flight.items() if number >= NOISY_MIN_IN_FLIGHT and number > share}
    if not noisy:
        return ministack_collect(queue, count, visibility_timeout)
    first, last = [], []
    for message in queue["messages"]:
        (last if (message["group_id"] or message["id"]) in noisy else first).append(message)
    return ministack_collect({**queue, "messages": first + last}, count, visibility_timeout)


# Lambda invokes a function with up to 10,000 messages of a standard queue, from several ReceiveMessage calls (Lambda Developer
# Guide, "Using Lambda with Amazon SQS"). ministack makes one call, which returns up to ten.
ministack_receive = sqs._receive_messages_for_esm


def receive_for_function(queue_url, count):
    batch = []
    while len(batch) < int(count or 1):
        received = ministack_receive(queue_url, int(count or 1) - len(batch))
        if not received:
            break
        batch.extend(received)
    return batch


# Removes messages one by one. ministack replaces the whole list, which loses messages that are sent at the same time.
def delete_for_function(queue_url, receipt_handles):
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        for message in list(queue["messages"]):
            if message.get("receipt_handle") in receipt_handles:
                queue["messages"].remove(message)


sqs._collect_msgs = collect_fairly
sqs._receive_messages_for_esm = receive_for_function
sqs._delete_messages_for_esm = delete_for_function
