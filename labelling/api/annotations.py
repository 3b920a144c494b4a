from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED
from rest_framework.views import APIView

from labelling.api.requests import checked, sender
from labelling.api.serializers import (
    AnnotationSerializer,
    AnswerSerializer,
    RefusalSerializer,
    UndoSerializer,
)
from labelling.models import Annotation, Item, Label, Question
from labelling.selectors import annotation_known, project_for
from labelling.services.annotations import annotation_record, annotation_undo

_ANSWERS = {201: AnnotationSerializer, 200: AnnotationSerializer, 400: RefusalSerializer}


class AnnotationsView(APIView):
    """Store an answer or a skip. The same UUID sent again is stored once and answered with 200."""

    @extend_schema(request=AnswerSerializer, responses=_ANSWERS)
    def post(self, request: Request, slug: str) -> Response:
        user = sender(request)
        project = project_for(user, slug)
        answer = checked(AnswerSerializer(data=request.data))
        item = Item.objects.filter(pk=answer["item"], project=project).first()
        if item is None:
            raise ParseError(f"item: there is no item {answer['item']} in the project '{slug}'.")
        question = Question.objects.filter(pk=answer["question"], project=project).first()
        if question is None:
            raise ParseError(f"question: there is no question {answer['question']} in the project '{slug}'.")
        label = None
        if answer["label"] is not None:
            label = Label.objects.filter(pk=answer["label"], question=question).first()
            if label is None:
                raise ParseError(f"label: {answer['label']} is not an answer to '{question.prompt}'.")
        known = annotation_known(answer["uuid"])
        try:
            annotation = annotation_record(
                project=project,
                annotator=user,
                uuid=answer["uuid"],
                item=item,
                question=question,
                label=label,
                seconds=answer["seconds"],
            )
        except ValidationError as error:
            raise ParseError(" ".join(error.messages)) from error
        return _stored(annotation, known)


class UndoView(APIView):
    """Take back a standing answer of one's own; the item is leased to its annotator again."""

    @extend_schema(request=UndoSerializer, responses=_ANSWERS)
    def post(self, request: Request, slug: str, uuid: UUID) -> Response:
        user = sender(request)
        project = project_for(user, slug)
        undo = checked(UndoSerializer(data=request.data))
        known = annotation_known(undo["uuid"])
        try:
            annotation = annotation_undo(project=project, annotator=user, uuid=undo["uuid"], undoes=uuid)
        except Annotation.DoesNotExist as error:
            raise Http404(f"You have given no answer {uuid} in the project '{slug}'.") from error
        except ValidationError as error:
            raise ParseError(" ".join(error.messages)) from error
        return _stored(annotation, known)


def _stored(annotation: Annotation, known: bool) -> Response:
    status = HTTP_200_OK if known else HTTP_201_CREATED
    return Response(AnnotationSerializer(annotation).data, status=status)
