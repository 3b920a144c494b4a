from django.db import migrations


def name_the_first_question(apps, schema_editor):
    Question = apps.get_model('labelling', 'Question')
    for deployment in apps.get_model('serving', 'Deployment').objects.filter(question=None):
        asked = Question.objects.filter(project=deployment.project_id).order_by('position', 'id')
        deployment.question = asked.first()
        deployment.save(update_fields=['question'])


class Migration(migrations.Migration):

    dependencies = [
        ('serving', '0004_a_deployment_may_name_its_question'),
    ]

    operations = [
        migrations.RunPython(name_the_first_question, migrations.RunPython.noop),
    ]
